import type { Limit } from "../../core/limit.ts"

/** A limit with the names that people read. */
type DescribedLimit = Omit<Limit, "id" | "source" | "key"> & {
  /** The name of the API key of the filter. */
  readonly keyName?: string | undefined
}

/**
 * Returns a sentence that says what a limit allows.
 *
 * Worked example: `Requests with Team=search may cost 50 USD per month (Europe/Berlin).`
 */
export function describeLimit(limit: DescribedLimit): string {
  const { window, tz, per, action } = limit
  const each = per === undefined ? "" : ` for each ${per === "key" ? "API key" : per}`
  const period = window === "total" ? (limit.measure === "concurrency" ? "" : " in total") : ` per ${window}`
  // The time zone decides when a day begins, and hardly ever when an hour does.
  const zone = ["day", "week", "month"].includes(window) ? ` (${tz})` : ""
  const sentence = `${describeRequests(limit)} ${describeAmount(limit)}${period}${each}${zone}.`
  return action === "warn" ? `${sentence} More is reported and not rejected.` : sentence
}

/** Returns the requests that count, such as `Requests to openai with Team=search`. */
function describeRequests({ keyName, provider, model, where = {} }: DescribedLimit): string {
  const pairs = Object.entries(where).map(([name, value]) => `${name}=${value}`)
  const parts = [
    ...(keyName === undefined ? [] : [`of the key ${keyName}`]),
    ...(model === undefined ? [] : [`for ${model}`]),
    ...(provider === undefined ? [] : [`to ${provider}`]),
    ...(pairs.length === 0 ? [] : [`with ${pairs.join(" and ")}`]),
  ]
  return parts.length === 0 ? "All requests" : `Requests ${parts.join(" ")}`
}

function describeAmount({ measure, amount }: DescribedLimit): string {
  const count = withThousands(amount)
  switch (measure) {
    case "cost":
      return `may cost ${count} USD`
    case "requests":
      return `are limited to ${count}`
    case "concurrency":
      return `are limited to ${count} at the same time`
    case "tokens":
      return `may use ${count} tokens`
    default:
      return `may use ${count} ${measure.replace("_", " ")}`
  }
}

function withThousands(decimal: string): string {
  const [whole = "", fraction] = decimal.split(".")
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",")
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}
