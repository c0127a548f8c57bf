import type { CauseObject, ReconciliationObject } from "../../operations/reconcile/json.ts"
import { toCsv } from "../_csv.ts"
import { alignPoints, toDollars } from "../_money.ts"
import type { Screen } from "../_print.ts"
import { printable, wrap } from "../_text.ts"

/** The names of the causes in sentences. */
export const TITLES: Readonly<Record<CauseObject["cause"], string>> = {
  outside: "outside the gateway",
  unmetered: "not metered",
  estimated: "estimated",
  tokens: "tokens differ",
  price: "price differs",
  discount: "discount",
  fees: "fees",
  unexplained: "unexplained",
}

const TITLE_WIDTH = 19
const INDENT = "      "
const NO_REST = { cause: "unexplained", amount: "0", detail: "", advice: null } as const

/** Renders what each account was billed, what was recorded, and the causes of the difference with what to do about them. */
export function renderReconciliations(all: readonly ReconciliationObject[], screen: Screen): string {
  const nameOf = ({ provider, account }: ReconciliationObject) => {
    const isOnly = all.filter((each) => each.provider === provider).length === 1
    return printable(isOnly ? provider : `${provider} (${account ?? "no account"})`)
  }
  return all.map((each) => renderReconciliation(nameOf(each), each, screen)).join("\n")
}

function renderReconciliation(name: string, reconciliation: ReconciliationObject, screen: Screen): string {
  const { billed, recorded, causes, notes } = reconciliation
  const share = toShare(reconciliation)
  const head = `${name.padEnd(10)}  billed  ${toDollars(billed)}    recorded  ${toDollars(recorded)}${share && `    ${share}`}`
  const hasRest = causes.some(({ cause }) => cause === "unexplained")
  const shown = hasRest ? causes : [...causes, NO_REST]
  const amounts = alignPoints(shown.map(({ amount }) => toDollars(amount)))
  const width = Math.max(...amounts.map(({ length }) => length))
  const lines = shown.flatMap(({ cause, detail, advice }, index) => {
    const start = `${INDENT}${amounts[index]!.padStart(width)}  ${TITLES[cause].padEnd(TITLE_WIDTH)}  `
    const texts = [detail, advice ?? ""].flatMap((text) => wrapAt(printable(text), start.length, screen))
    const [first = "", ...more] = texts.filter((text) => text !== "")
    return [(start + first).trimEnd(), ...more.map((text) => " ".repeat(start.length) + text)]
  })
  const remarks = [...describeSettling(reconciliation), ...describeExcess(reconciliation), ...notes.map(printableText)]
  return `${[head, ...lines, ...remarks.flatMap((text) => wrapAt(text, 2, screen).map((line) => `  ${line}`))].join("\n")}\n`
}

function wrapAt(text: string, indent: number, { width }: Screen): string[] {
  return wrap(text, width === undefined ? undefined : Math.max(30, width - indent))
}

const printableText = (text: string): string => printable(text)

function describeSettling({ days }: ReconciliationObject): string[] {
  const settling = days.filter((day) => day.settling).map(({ day }) => day)
  if (settling.length === 0) return []
  const which = settling.length === 1 ? settling[0]! : `${settling[0]} to ${settling.at(-1)}`
  return [`${which}: settling, because the provider may still add to the bill (reconcile.settle).`]
}

function describeExcess({ excess, tolerated, within_tolerance: isWithin }: ReconciliationObject): string[] {
  if (isWithin) return []
  return [
    `${toDollars(excess)} of settled days is outside the gateway, in prices, in tokens or unexplained, and ${toDollars(tolerated)} is tolerated (reconcile.alert_above).`,
  ]
}

/** Returns which part of the bill was recorded: `99.5%`; "" if nothing was billed. */
export function toShare({ billed, recorded }: { readonly billed: string; readonly recorded: string }): string {
  const whole = Number(billed)
  return whole === 0 ? "" : `${((Number(recorded) / whole) * 100).toFixed(1)}%`
}

/** Returns one line for each cause of each day, and one without a cause for a day on which both sides are equal. */
export function toCausesCsv(all: readonly ReconciliationObject[]): string {
  const fields = [
    "cause",
    "amount",
    "model",
    "tier",
    "bucket",
    "key",
    "project",
    "requests",
    "detail",
    "advice",
  ] as const
  const rows = all.flatMap(({ provider, account, days }) =>
    days.flatMap(({ day, billed, recorded, settling, causes }) => {
      const start = [provider, account, day, settling, billed, recorded]
      if (causes.length === 0) return [[...start, ...fields.map(() => null)]]
      return causes.map((cause) => [...start, ...fields.map((field) => cause[field])])
    }),
  )
  return toCsv(["provider", "account", "day", "settling", "billed", "recorded", ...fields], rows)
}
