import { formatDecimal } from "../../core/decimal.ts"
import { type Bucket, findOwnRate } from "../../core/reconciliation.ts"
import type { Finding, Summary } from "./_shapes.ts"

interface Context {
  readonly provider: string
}

type Sentence = (summary: Summary, context: Context) => string

/** Returns a whole sentence that says what was found. */
export function sentenceOf(summary: Summary, context: Context): string {
  return SENTENCES[summary.why](summary, context)
}

const SENTENCES: Readonly<Record<Finding["why"], Sentence>> = {
  outside: (of) =>
    `The bill has ${usageOf(of)}${modelOf(of)}${ownerOf(of)} that did not pass through the gateway${itemOf(of)}.`,
  cut_off: (of) =>
    `The provider billed ${tokensOf(of)}${modelOf(of)} for ${requestsOf(of)} that ended before the provider reported the usage.`,
  failed: (of) =>
    `The provider billed ${tokensOf(of)}${modelOf(of)} for ${requestsOf(of)} that it answered with an error.`,
  pending: (of) =>
    `The provider billed ${tokensOf(of)}${modelOf(of)} for work in the background whose results were not fetched through the gateway.`,
  unreported: (of) =>
    `The provider billed ${tokensOf(of)}${modelOf(of)} for ${requestsOf(of)} whose answers reported no usage.`,
  estimated: (of) =>
    `The usage of ${requestsOf(of)}${modelOf(of)} was estimated, and the bill has ${tokensOf(of, true)}.`,
  tokens: (of) => `The bill has ${tokensOf(of, true)} for the same requests${modelOf(of)}.`,
  rate: (of) => `${subjectOf(of)} is billed at ${pricesOf(of)}.`,
  no_price: (of) =>
    `${subjectOf(of)} is billed${of.rate ? ` at ${rateText(of.rate.billed, of.rate.per)}` : ""}, and the gateway has no price for it.`,
  discount: (of) =>
    `The provider charges ${of.amount < 0n ? "less" : "more"} than its list price${modelOf(of, "for")}${itemOf(of)}.`,
  credit: (of) => `The bill contains credits${itemOf(of)}.`,
  tax: (of) => `The bill contains taxes${itemOf(of)}.`,
  fees: (of) =>
    `The bill has ${of.amount < 0n ? "lower" : "higher"} fees for ${FEE_NAMES[of.bucket ?? "tool"] ?? "tools"} than the gateway recorded${itemOf(of)}.`,
  missing: (of) => `The gateway recorded ${tokensOf(of)}${modelOf(of)}${ownerOf(of)} that the bill does not have.`,
  rounding: (of) => `Amounts of the bill${modelOf(of)} are rounded, or add up differently.`,
  no_counts: (of) =>
    `The bill and the records${modelOf(of)} differ, and the bill does not say the tokens that would tell why.`,
  item: (of) => `The bill has a cost that the gateway cannot assign to a model${itemOf(of)}.`,
}

/** Returns what to do about a cause, as a whole sentence. Undefined: nothing. */
export function adviceOf(summary: Summary, { provider }: Context): string | undefined {
  const { why, owner, model, days } = summary
  switch (why) {
    case "outside":
      return owner === undefined
        ? `Find the program that calls ${provider} directly, and send its requests through the gateway.`
        : `If ${owner} is a key of the gateway, name its alias in \`reconcile.${provider}.keys\`. Otherwise send its requests through the gateway, or leave the key out of the comparison.`
    case "pending":
      return "Fetch the results through the gateway; `majordomo-gateway usage pending` lists them."
    case "tokens":
      return `This is a fault of the gateway. Please report it with the usage of some requests: \`majordomo-gateway usage requests --model ${model} --since ${days[0]}\`.`
    case "rate":
    case "no_price":
      return priceAdvice(summary, provider)
    case "missing":
      return "Check whether these requests used a credential of another account, and whether the filters of projects and keys leave them out."
    case "no_counts":
      return "Compare with a source that reports tokens, such as the provider's usage API."
    default:
      return undefined
  }
}

function priceAdvice(summary: Summary, provider: string): string {
  const { model, rate, days, amount } = summary
  const ownRate = findOwnRate(summary)
  if (model === undefined || rate === undefined || ownRate === undefined) {
    return amount < 0n
      ? "Check the prices of the provider; if they have changed, set them with `majordomo-gateway pricing set`."
      : "Check the prices of the provider, and set them with `majordomo-gateway pricing set`."
  }
  const override = `pricing: { overrides: { "${provider}/${model}": [{ ${ownRate}: ${rate.billed}, from: ${days[0]} }] } }`
  return `If the billed rate is right, set \`${override}\`, then run \`majordomo-gateway pricing reprice --model ${model} --since ${days[0]}\`.`
}

const BUCKET_NAMES: Readonly<Record<Bucket, string>> = {
  input: "input",
  cache_read: "cached input",
  cache_write: "cache write",
  cache_write_1h: "1-hour cache write",
  output: "output",
  audio_input: "audio input",
  audio_output: "audio output",
  image_input: "image input",
  image_output: "image output",
  tool: "tool",
  storage: "storage",
  session: "session",
  credit: "credit",
  tax: "tax",
  other: "other",
  all: "",
}

const FEE_NAMES: Readonly<Partial<Record<Bucket, string>>> = {
  tool: "tools",
  storage: "storage",
  session: "containers and sessions",
}

/** Such as `312 requests (1,204,000 tokens)`. */
function usageOf(of: Summary): string {
  if (of.requests === undefined) return of.quantities.size > 0 ? tokensOf(of) : "costs"
  return of.quantities.size > 0 ? `${requestsOf(of)} (${tokensOf(of)})` : requestsOf(of)
}

function requestsOf({ requests }: Summary): string {
  if (requests === undefined) return "requests"
  return requests === 1 ? "1 request" : `${grouped(String(requests))} requests`
}

/** Such as `1,204,000 tokens`, or with `isRelative`, `512 output tokens more and 3 input tokens less`. */
function tokensOf({ quantities }: Summary, isRelative = false): string {
  const parts = [...quantities].filter(([, quantity]) => quantity !== 0n)
  if (parts.length === 0) return isRelative ? "another cost" : "a cost"
  if (!isRelative) {
    const sum = parts.reduce((total, [, quantity]) => total + (quantity < 0n ? -quantity : quantity), 0n)
    const bucket = parts.length === 1 ? BUCKET_NAMES[parts[0]![0] as Bucket] : ""
    return `${count(sum)} ${bucket === "" ? "" : `${bucket} `}tokens`
  }
  return parts
    .map(([bucket, quantity]) => {
      const name = BUCKET_NAMES[bucket as Bucket]
      return `${count(quantity < 0n ? -quantity : quantity)} ${name === "" ? "" : `${name} `}tokens ${quantity < 0n ? "less" : "more"}`
    })
    .join(" and ")
}

function count(quantity: bigint): string {
  const [whole = "0", fraction] = formatDecimal(quantity).split(".")
  return `${grouped(whole)}${fraction === undefined ? "" : `.${fraction}`}`
}

/** Such as `1,204,000`. */
function grouped(digits: string): string {
  return digits.replace(/\B(?=(?:\d{3})+$)/g, ",")
}

function modelOf({ model, tier }: Summary, word = "of"): string {
  return model === undefined ? "" : ` ${word} ${model}${tierOf(tier)}`
}

function tierOf(tier: string | undefined): string {
  return tier === undefined || tier === "standard" ? "" : ` (tier ${tier})`
}

function ownerOf({ owner, project }: Summary): string {
  const key = owner === undefined || owner === project ? "" : ` under key ${owner}`
  return `${key}${project === undefined ? "" : ` in project "${project}"`}`
}

function itemOf({ item }: Summary): string {
  return item === undefined ? "" : `: ${item}`
}

/** Such as `gpt-5.5 cached input`. */
function subjectOf({ model, tier, bucket }: Summary): string {
  const name = bucket === undefined ? "" : BUCKET_NAMES[bucket]
  return `${[model ?? "Usage", name].filter((part) => part !== "").join(" ")}${tierOf(tier)}`
}

/** Such as `$0.25 per million tokens, and was priced at $0.125 (llm-prices.com, 2026-10-30)`. */
function pricesOf({ rate }: Summary): string {
  if (rate === undefined) return "other prices than the gateway used"
  const billed = rateText(rate.billed, rate.per)
  if (rate.recorded === undefined) return billed
  const source = [rate.source, rate.date].filter((part) => part !== undefined).join(", ")
  return `${billed}, and was priced at $${rate.recorded}${source === "" ? "" : ` (${source})`}`
}

function rateText(rate: string, per: "million" | "one"): string {
  return `$${rate} ${per === "million" ? "per million tokens" : "each"}`
}
