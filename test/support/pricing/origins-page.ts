import { FEES } from "../../../src/pricing/fees.ts"
import { ORIGINS, type OriginName } from "../../../src/pricing/origins.ts"
import { OWN_MODELS } from "../../../src/pricing/own-models.ts"
import { PAST_PRICES } from "../../../src/pricing/past-prices.ts"
import {
  FAST,
  GEMINI_PRIORITY,
  type Multiple,
  PRIORITY,
  REGIONS,
  ULTRAFAST,
  WAITING,
} from "../../../src/pricing/priority.ts"

/** One rate, fee or multiplier of our own. */
interface OwnRate {
  readonly what: string
  readonly value: string
  readonly origin: OriginName
  /** The reason why a part of it is estimated although its origin is dated. */
  readonly doubt?: string | undefined
}

/** Returns every rate, fee and multiplier of our own. */
export function listOwnRates(): readonly OwnRate[] {
  return [
    ...Object.entries(OWN_MODELS).flatMap(([provider, models]) =>
      models.map(({ id, prices, origin }) => ({
        what: `\`${provider}/${id}\``,
        value: toText(prices),
        origin,
        doubt: doubtIn(prices),
      })),
    ),
    ...PAST_PRICES.map(({ model, name, until, prices, origin }) => ({
      what: `\`${model}\`${name ? ` by the name \`${name}\`` : ""} before ${until}`,
      value: toText(prices),
      origin,
    })),
    ...Object.entries(FEES).flatMap(([provider, fees]) =>
      fees.map(({ models, tool, rate, origin, doubt }) => ({
        what: `${provider}: \`${tool}\`${models.source === "^" ? "" : ` of \`${models.source.replaceAll("|", "\\|")}\``}`,
        value: `${rate} per piece`,
        origin,
        doubt,
      })),
    ),
    ...toRates("priority of", PRIORITY),
    ...toRates("ultrafast of", ULTRAFAST),
    ...toRates("fast mode of", FAST),
    ...toRates("priority of", { "Gemini 2.5 and 3": GEMINI_PRIORITY }),
    ...Object.entries(WAITING).flatMap(([tier, providers]) => toRates(`${tier} at`, providers)),
    ...toRates("data in one region at", REGIONS),
  ]
}

function toRates(what: string, multiples: Readonly<Record<string, Multiple>>): readonly OwnRate[] {
  return Object.entries(multiples).map(([name, [value, origin]]) => ({
    what: `${what} \`${name}\``,
    value: `× ${value.replace(/^(\d\.\d{3})\d+$/, "$1…")}`,
    origin,
  }))
}

function toText(prices: (typeof PAST_PRICES)[number]["prices"] | readonly { readonly prices: unknown }[]): string {
  if (Array.isArray(prices)) return prices.map(({ prices: each }) => toText(each)).join("; then ")
  return Object.entries(prices as (typeof PAST_PRICES)[number]["prices"])
    .map(([unit, price]) => `${unit} ${typeof price === "object" ? `${price.base} and more` : price}`)
    .join(", ")
}

function doubtIn(prices: unknown): string | undefined {
  if (!Array.isArray(prices)) return undefined
  return (prices as readonly { readonly unsure?: Readonly<Record<string, string>> }[])
    .flatMap(({ unsure }) => Object.entries(unsure ?? {}).map(([rate, reason]) => `${rate}: ${reason}`))
    .at(0)
}

/** Returns the part of ORIGINS.md that is generated. */
export function toOriginsText(): string {
  const rates = listOwnRates()
  const isUndated = ({ origin }: OwnRate) => ORIGINS[origin].day === undefined
  return [
    "## Rates that are not from a dated source",
    "",
    "A row that uses one of them is `estimated`, and its certificate names the reason.",
    "",
    ...toTable(rates.filter(isUndated)),
    "",
    "## Rates of our own that are from a dated source",
    "",
    ...toTable(rates.filter((rate) => !isUndated(rate))),
    "",
  ].join("\n")
}

function toTable(rates: readonly OwnRate[]): readonly string[] {
  return [
    "| rate | value | origin | day | row |",
    "|---|---|---|---|---|",
    ...rates.map(({ what, value, origin, doubt }) => {
      const { where, day } = ORIGINS[origin]
      const row = day === undefined ? "estimated" : doubt === undefined ? "exact" : `exact, but ${doubt}`
      return `| ${what} | ${value} | ${where} | ${day ?? "–"} | ${row} |`
    }),
  ]
}
