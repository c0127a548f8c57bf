import type { ComponentChildren } from "preact"
import { useState } from "preact/hooks"

export interface Series {
  readonly name: string
  readonly values: readonly number[]
}

export interface Bar {
  /** The text below the bar. */
  readonly label: string
  /** The complete text, for the tooltip. */
  readonly title: string
  /** What a click shows; undefined: nothing. */
  readonly href: string | undefined
  /** Its values may still change. */
  readonly isFaint?: boolean
}

interface ChartProps {
  /** What the chart shows, for screen readers. */
  readonly label: string
  readonly bars: readonly Bar[]
  /** Stacked from the bottom. The last one is the rest, if `hasRest`. */
  readonly series: readonly Series[]
  readonly hasRest: boolean
  /** The total of each bar in the period of comparison, as a dashed line. */
  readonly before: readonly number[] | undefined
  readonly format: (value: number) => string
  /** Formats the numbers of the axis. */
  readonly formatAxis: (value: number) => string
  readonly isStale: boolean
}

/**
 * Stacked bars over time. They are scaled by the browser, so nothing is measured and nothing moves when the page is resized.
 * Lengths in the SVG are one bar wide and one unit of the axis high.
 */
export function Chart({ label, bars, series, hasRest, before, format, formatAxis, isStale }: ChartProps) {
  const [at, setAt] = useState<number>()
  const totals = bars.map((_, i) => series.reduce((sum, { values }) => sum + (values[i] ?? 0), 0))
  const ticks = toTicks(Math.max(0, ...totals, ...(before ?? [])))
  const max = ticks.at(-1)!
  const colorOf = (i: number) => (hasRest && i === series.length - 1 ? "series-rest" : `series-${i}`)
  return (
    <div class="chart" data-stale={isStale ? "" : undefined}>
      <div class="chart-axis" aria-hidden="true">
        {ticks.map((tick) => (
          <span key={tick} style={{ bottom: `${(tick / max) * 100}%` }}>
            {formatAxis(tick)}
          </span>
        ))}
      </div>
      <div class="chart-plot" onPointerLeave={() => setAt(undefined)}>
        <svg viewBox={`0 0 ${Math.max(1, bars.length)} ${max}`} preserveAspectRatio="none" aria-hidden="true">
          {ticks.map((tick) => (
            <line key={tick} class="chart-grid" x1={0} x2={bars.length} y1={max - tick} y2={max - tick} />
          ))}
          {bars.map((bar, i) => (
            <Stack
              key={bar.title}
              x={i}
              max={max}
              isFaint={bar.isFaint ?? false}
              values={series.map(({ values }) => values[i] ?? 0)}
              colorOf={colorOf}
            />
          ))}
          {before && <path class="chart-before" d={toPath(before.slice(0, bars.length), max)} />}
        </svg>
        <Targets label={label} bars={bars} totals={totals} format={format} at={at} onAt={setAt} />
        {at !== undefined && bars[at] && (
          <Tooltip title={bars[at].title} at={at} count={bars.length}>
            {series.length > 1 &&
              series.map(({ name, values }, i) => (
                <TooltipLine key={name} name={name} color={colorOf(i)} value={format(values[at] ?? 0)} />
              ))}
            <TooltipLine name={series.length > 1 ? "Total" : (series[0]?.name ?? "")} value={format(totals[at]!)} />
            {before?.[at] !== undefined && (
              <TooltipLine name="Before" color="series-before" value={format(before[at])} />
            )}
          </Tooltip>
        )}
      </div>
      <Labels bars={bars} />
    </div>
  )
}

interface StackProps {
  readonly x: number
  readonly max: number
  readonly isFaint: boolean
  readonly values: readonly number[]
  readonly colorOf: (series: number) => string
}

function Stack({ x, max, isFaint, values, colorOf }: StackProps) {
  let below = 0
  return (
    <g class={isFaint ? "is-faint" : undefined}>
      {values.map((value, i) => {
        below += value
        if (value === 0) return null
        return <rect key={colorOf(i)} class={colorOf(i)} x={x + 0.1} width={0.8} y={max - below} height={value} />
      })}
    </g>
  )
}

interface TargetsProps {
  readonly label: string
  readonly bars: readonly Bar[]
  readonly totals: readonly number[]
  readonly format: (value: number) => string
  readonly at: number | undefined
  readonly onAt: (at: number | undefined) => void
}

/** The areas that the reader points at. They are one stop of the Tab key; the arrow keys move among them. */
function Targets({ label, bars, totals, format, at, onAt }: TargetsProps) {
  const stop = at !== undefined && at < bars.length ? at : bars.length - 1
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0
    const links = [...(event.currentTarget as HTMLElement).querySelectorAll("a")]
    const next = links[links.indexOf(event.target as HTMLAnchorElement) + step]
    if (step === 0 || next === undefined) return
    event.preventDefault()
    next.focus()
  }
  return (
    <nav class="chart-targets" aria-label={label} onKeyDown={onKeyDown}>
      {bars.map(({ title, href }, i) => (
        // biome-ignore lint/a11y/useAnchorContent: its label says what it stands for
        <a
          key={title}
          href={href}
          tabIndex={i === stop ? 0 : -1}
          aria-label={`${title}: ${format(totals[i]!)}`}
          data-at={i === at ? "" : undefined}
          onPointerEnter={() => onAt(i)}
          onFocus={() => onAt(i)}
          onBlur={() => onAt(undefined)}
        />
      ))}
    </nav>
  )
}

function Tooltip({
  title,
  at,
  count,
  children,
}: {
  title: string
  at: number
  count: number
  children: ComponentChildren
}) {
  const center = ((at + 0.5) / count) * 100
  const side = center < 50 ? { left: `${center}%` } : { right: `${100 - center}%` }
  return (
    <div class="tooltip" style={side} aria-hidden="true">
      <p>{title}</p>
      {children}
    </div>
  )
}

function TooltipLine({
  name,
  color,
  value,
}: {
  readonly name: string
  readonly color?: string
  readonly value: string
}) {
  return (
    <div class="tooltip-line">
      <i class={color === undefined ? "swatch" : `swatch ${color}`} />
      <bdi>{name}</bdi>
      <span class="num">{value}</span>
    </div>
  )
}

const MAX_LABELS = 8

function Labels({ bars }: { readonly bars: readonly Bar[] }) {
  const step = Math.max(1, Math.ceil(bars.length / MAX_LABELS))
  const shown = bars.map((bar, i) => ({ ...bar, i })).filter(({ i }) => i % step === 0)
  return (
    <div class="chart-labels" aria-hidden="true">
      {shown.map(({ label, i }, n) => (
        <span
          key={i}
          class={n % 2 === 1 ? "hide-m" : undefined}
          style={{ left: `${((i + 0.5) / bars.length) * 100}%` }}
        >
          {label}
        </span>
      ))}
    </div>
  )
}

/** Returns 0 and up to four more round numbers; the last one is at least `max`. */
function toTicks(max: number): number[] {
  if (!(max > 0)) return [0, 1]
  const rough = max / 4
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999)!
  const count = Math.ceil((max * 0.9999) / step)
  return Array.from({ length: count + 1 }, (_, i) => i * step)
}

function toPath(values: readonly number[], max: number): string {
  return values.map((value, i) => `${i === 0 ? "M" : "L"}${i + 0.5} ${max - value}`).join(" ")
}
