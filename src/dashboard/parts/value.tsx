import {
  formatChange,
  formatCount,
  formatDuration,
  formatExactMoment,
  formatMoment,
  formatMoney,
} from "../kit/format.ts"

interface MoneyProps {
  /** USD as a plain decimal; null: no price is known. */
  readonly usd: string | null
  /** Decimals: cents for sums, and 4 for single requests, which cost less than a cent. */
  readonly digits?: number
  /** The requests of a sum whose cost is not known, so that the sum is more. */
  readonly unpriced?: number
}

/** An amount, with its exact value in the title. A sum that leaves requests out begins with `>`, as on the command line. */
export function Money({ usd, digits = 2, unpriced = 0 }: MoneyProps) {
  const isPartial = usd !== null && unpriced > 0
  const title = usd === null ? "No price is known, so the cost is not known." : `$${usd}`
  return (
    <span class="num" title={isPartial ? `${title}, without ${formatCount(unpriced)} unpriced requests` : title}>
      {isPartial ? formatPartial(usd, digits) : formatMoney(usd, digits)}
    </span>
  )
}

function formatPartial(usd: string, digits: number): string {
  const shown = formatMoney(usd, digits)
  return `>${shown.startsWith("<") ? formatMoney("0", digits) : shown}`
}

export function Count({ value }: { readonly value: number }) {
  return <span class="num">{formatCount(value)}</span>
}

export function Duration({ ms }: { readonly ms: number | null | undefined }) {
  return (
    <span class="num" title={ms === null || ms === undefined ? undefined : `${formatCount(ms)} ms`}>
      {formatDuration(ms)}
    </span>
  )
}

/** A moment in the reader's time zone, with the complete one in the title. */
export function Moment({ iso, tz }: { readonly iso: string; readonly tz: string }) {
  return (
    <time class="num" dateTime={iso} title={formatExactMoment(iso, tz)}>
      {formatMoment(iso, tz)}
    </time>
  )
}

/** The change to the period before. Its color says nothing: whether more is good depends on the reader. */
export function Change({ value, of }: { readonly value: number | undefined; readonly of?: string | undefined }) {
  if (value === undefined) return <span class="change" />
  return (
    <span class="change num" title={of}>
      {formatChange(value)}
    </span>
  )
}

const CONFIDENCE = {
  exact: "The provider reported the tokens, and the price is known.",
  estimated: "The tokens were counted by the gateway, or the price is approximate.",
  reported: "The provider reported the cost itself.",
  free: "The request is not billed, so that its cost is zero.",
  inconsistent: "The provider's numbers contradict each other.",
  unpriced: "No price is known for this model.",
} as Readonly<Record<string, string>>

const PLAIN = ["exact", "reported", "free"]

/** How sure a cost is. An exact one needs no mark. */
export function Confidence({ status }: { readonly status: string | null }) {
  const name = status ?? "unknown"
  return (
    <span class={`mark mark-${PLAIN.includes(name) ? "plain" : "warn"}`} title={CONFIDENCE[name]}>
      {name}
    </span>
  )
}

/** A status code of a response. */
export function Status({ code, outcome }: { readonly code: number | null; readonly outcome?: string | null }) {
  const isError = code === null || code >= 400
  const isCut = outcome !== undefined && outcome !== null && outcome !== "complete"
  const text = code === null ? "none" : String(code)
  return (
    <span class={`mark ${isError ? "mark-bad" : isCut ? "mark-warn" : "mark-plain"}`} title={outcome ?? undefined}>
      {isCut && !isError ? `${text} ${outcome}` : text}
    </span>
  )
}

/** The state of a key, a token or a session. What is over needs no color. */
export function State({ is }: { readonly is: string }) {
  return <span class={`mark mark-${is === "active" ? "on" : "plain"}`}>{is}</span>
}

/** A moment that may not have come. */
export function MaybeMoment({
  iso,
  tz,
  none,
}: {
  readonly iso: string | null
  readonly tz: string
  readonly none: string
}) {
  return iso === null ? <span class="quiet">{none}</span> : <Moment iso={iso} tz={tz} />
}
