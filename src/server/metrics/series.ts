import { truncateText } from "../../core/text.ts"
import { type Labels, toLabelText } from "../prometheus.ts"

/** The value of a label that stands for all values beyond the limit. */
const OTHER = "(other)"
/** Longer values of labels are cut, in UTF-16 units. */
const MAX_LABEL_LENGTH = 128
/** One label may have this part of all sets of values, so that a name with many values leaves room for the others. */
const PART_OF_ONE_LABEL = 10

type Node<T> = Map<string, Node<T> | Series<T>>

/** The numbers of the requests that have the same values of all labels. */
interface Series<T> {
  readonly labels: Labels
  /** The labels as text. */
  readonly text: string
  readonly data: T
}

interface SeriesOptions<T> {
  /** The names of the labels. The first one has few values by itself, and is never `(other)`. */
  readonly names: readonly string[]
  /** How many sets of values there are at most, and in addition one for each value of the first label. */
  readonly max: number
  create(values: readonly string[]): T
}

/**
 * Finds the series of a request by the values of its labels. Clients choose some of them, so that their number is limited:
 * a label beyond its own limit has the value `(other)`, and beyond the limit of all sets, every label but the first has it.
 */
export class SeriesSet<T> {
  /** How many requests have a label of each name that is `(other)`. */
  readonly overflows: Readonly<Record<string, number>>
  private readonly options: SeriesOptions<T>
  private readonly root: Node<T> = new Map()
  private readonly all: Series<T>[] = []
  private readonly known: ReadonlyMap<string, Set<string>>
  private readonly counted: Record<string, number>

  constructor(options: SeriesOptions<T>) {
    this.options = options
    this.known = new Map(options.names.map((name) => [name, new Set()]))
    this.counted = Object.fromEntries(options.names.slice(1).map((name) => [name, 0]))
    this.overflows = this.counted
  }

  /** Returns the series of the values, in the order of the names. The hot path: a known set costs one look-up per label. */
  find(values: readonly string[]): T {
    return (this.get(values) ?? this.findLimited(values)).data
  }

  /** Returns all series, the oldest first. */
  list(): readonly Series<T>[] {
    return this.all
  }

  private get(values: readonly string[]): Series<T> | undefined {
    let node: Node<T> | Series<T> | undefined = this.root
    for (let i = 0; i < values.length && node !== undefined; i++) node = (node as Node<T>).get(values[i]!)
    return node as Series<T> | undefined
  }

  private findLimited(values: readonly string[]): Series<T> {
    const limited = values.map((value, i) => this.limit(i, truncateText(value, MAX_LABEL_LENGTH)))
    const found = this.get(limited) ?? (this.all.length < this.options.max ? this.add(limited) : undefined)
    const series = found ?? this.findOther(limited[0]!)
    for (const name of this.options.names.slice(1)) if (series.labels[name] === OTHER) this.counted[name]!++
    return series
  }

  private findOther(first: string): Series<T> {
    const others = this.options.names.map((_, i) => (i === 0 ? first : OTHER))
    return this.get(others) ?? this.add(others)
  }

  private limit(index: number, value: string): string {
    const { names, max } = this.options
    const known = this.known.get(names[index]!)!
    if (index === 0 || known.has(value)) return value
    if (known.size >= Math.ceil(max / PART_OF_ONE_LABEL)) return OTHER
    known.add(value)
    return value
  }

  private add(values: readonly string[]): Series<T> {
    const { names, create } = this.options
    const labels = Object.fromEntries(names.map((name, i) => [name, values[i]!]))
    const series = { labels, text: toLabelText(labels), data: create(values) }
    let node = this.root
    for (const value of values.slice(0, -1)) {
      const next = (node.get(value) as Node<T> | undefined) ?? new Map()
      node.set(value, next)
      node = next
    }
    node.set(values.at(-1)!, series)
    this.all.push(series)
    return series
  }
}
