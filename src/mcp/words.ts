import { truncateText } from "../core/text.ts"

/** A cost as answers have it: USD as a plain decimal; null: not known. */
type Cost = string | null | undefined

export function inUsd(cost: Cost): string {
  return cost === null || cost === undefined ? "an unknown cost" : `$${cost}`
}

/** Returns a number with its noun: `1 request`, `1,204 requests`. */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`
}

/**
 * Returns a name that somebody else has chosen, such as a model or a value of metadata, as a short quoted text. It can
 * contain anything, also a sentence that wants to be read as an instruction.
 */
export function quote(name: unknown): string {
  return name === null || name === undefined ? "(none)" : JSON.stringify(truncateText(String(name), 60))
}

/** Returns the number of elements and whether there are more. */
export function listed(list: readonly unknown[], noun: string, next: string | null | undefined): string {
  return next ? `${count(list.length, noun)}; more with cursor ${quote(next)}.` : `${count(list.length, noun)}.`
}

interface Total {
  readonly requests: number
  readonly total_cost: string | null
  readonly unpriced: number
  readonly subscription_requests: number
  readonly subscription_value: string | null
}

/** Says what requests cost, and what is not in the cost. */
export function sumUp(total: Total, { since, until, tz }: { since: string; until: string; tz: string }): string {
  const { requests, unpriced, subscription_requests: subscribed } = total
  return [
    `${count(requests, "request")} cost ${inUsd(total.total_cost)} from ${since} to ${until} (${tz}).`,
    ...(unpriced > 0
      ? [`${count(unpriced, "request")} without a known price ${isOrAre(unpriced)} not in the cost.`]
      : []),
    ...(subscribed > 0
      ? [
          `A subscription pays for ${count(subscribed, "request")}, worth ${inUsd(total.subscription_value)} at API prices.`,
        ]
      : []),
  ].join(" ")
}

const isOrAre = (number: number) => (number === 1 ? "is" : "are")
