import { useKeyNames } from "../kit/key-names.ts"
import { type Filter, type Question, withoutFilter } from "../kit/question.ts"
import { toTitle } from "../kit/usage.ts"

/** The filters of the page, each with a button that removes it. */
export function Chips({ question }: { readonly question: Question }) {
  const { filters, params, href } = question
  if (filters.length === 0) return null
  const none = filters.reduce((rest, { name }) => withoutFilter(rest, name), params)
  return (
    <ul class="chips" aria-label="Filters">
      {filters.map((filter) => (
        <li key={filter.name} class="chip">
          <span class="chip-name">{toTitle(filter.name)}</span>
          <FilterValue filter={filter} />
          <a
            class="chip-remove"
            href={href(withoutFilter(params, filter.name))}
            aria-label={`Remove the filter on ${toTitle(filter.name)}`}
          >
            ×
          </a>
        </li>
      ))}
      {filters.length > 1 && (
        <li>
          <a class="quiet" href={href(none)}>
            Clear all
          </a>
        </li>
      )}
    </ul>
  )
}

/** The value of a filter as people call it: a key by its name. */
export function FilterValue({ filter: { name, value } }: { readonly filter: Filter }) {
  const names = useKeyNames()
  const text = name === "key" ? (names.get(value) ?? value) : value
  return (
    <bdi class="chip-value" title={text}>
      {text}
    </bdi>
  )
}
