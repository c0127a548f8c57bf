import { type Attribute, toAttributes } from "../otlp/attributes.ts"

/** Clients choose the names of models, so that the number of series is limited; further ones are one series. */
const MAX_SERIES = 2000
const OVERFLOW = toAttributes({ "otel.metric.overflow": true })

/** The attributes of a series, computed only when it begins. */
type ToValues = () => Parameters<typeof toAttributes>[0]

/** The values of one metric by their attributes. */
interface Series<Point> {
  readonly points: ReadonlyMap<string, Point>
  /** Returns the point of a key, which stands for its attributes. */
  find(key: string, toValues: ToValues): Point
}

export function createSeries<Point>(create: (attributes: readonly Attribute[]) => Point): Series<Point> {
  const points = new Map<string, Point>()
  return {
    points,
    find(key, toValues) {
      const known = points.get(key)
      if (known !== undefined) return known
      const isFull = points.size >= MAX_SERIES
      const place = isFull ? "" : key
      let point = points.get(place)
      if (point === undefined) {
        point = create(isFull ? OVERFLOW : toAttributes(toValues()))
        points.set(place, point)
      }
      return point
    },
  }
}

interface HistogramPoint {
  readonly attributes: readonly Attribute[]
  readonly counts: number[]
  count: number
  sum: number
}

/** The histograms of one metric. */
interface Histograms {
  observe(key: string, toValues: ToValues, value: number): void
  readonly isEmpty: boolean
  /** Returns the data points in OTLP's JSON, without their times. */
  toPoints(): readonly Readonly<Record<string, unknown>>[]
}

export function createHistograms(bounds: readonly number[]): Histograms {
  const series = createSeries<HistogramPoint>((attributes) => ({
    attributes,
    counts: new Array<number>(bounds.length + 1).fill(0),
    count: 0,
    sum: 0,
  }))
  return {
    observe(key, toValues, value) {
      const point = series.find(key, toValues)
      const at = bounds.findIndex((bound) => value <= bound)
      point.counts[at === -1 ? bounds.length : at]!++
      point.count++
      point.sum += value
    },
    get isEmpty() {
      return series.points.size === 0
    },
    toPoints: () =>
      [...series.points.values()].map(({ attributes, counts, count, sum }) => ({
        attributes,
        count: String(count),
        sum,
        bucketCounts: counts.map(String),
        explicitBounds: bounds,
      })),
  }
}
