import type { Series } from "./chart.tsx"

/** The names of the series of a chart beside their colors. */
export function Legend({
  series,
  hasRest,
  hrefOf,
}: {
  series: readonly Series[]
  hasRest: boolean
  hrefOf: (i: number) => string | undefined
}) {
  return (
    <ul class="legend">
      {series.map(({ name }, i) => {
        const href = hrefOf(i)
        return (
          <li key={name}>
            <i class={`swatch ${hasRest && i === series.length - 1 ? "series-rest" : `series-${i}`}`} />
            {href === undefined ? (
              <bdi>{name}</bdi>
            ) : (
              <a href={href}>
                <bdi>{name}</bdi>
              </a>
            )}
          </li>
        )
      })}
    </ul>
  )
}
