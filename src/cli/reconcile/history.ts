import { reconciliations } from "../../api/routes/reconciliations.ts"
import { CAUSES } from "../../core/reconciliation.ts"
import type { ReconciliationObject } from "../../operations/reconcile/json.ts"
import { call, REMOTE } from "../_call.ts"
import { checkFormat, defineCommand, JSON_OPTION } from "../_command.ts"
import { toCsv } from "../_csv.ts"
import { alignPoints, EXACT_OPTION, toDollars } from "../_money.ts"
import { findScreen, print, printJson, printMessage, type Screen } from "../_print.ts"
import { renderTable } from "../_table.ts"
import { TITLES, toShare } from "./_causes.ts"
import { DAYS_OPTIONS, PROVIDER_OPTION } from "./_options.ts"

export default defineCommand({
  meta: { name: "history", description: "how bills and what was recorded differed from day to day, as stored" },
  args: {
    ...PROVIDER_OPTION,
    ...DAYS_OPTIONS,
    ...EXACT_OPTION,
    ...JSON_OPTION,
    csv: { type: "boolean", description: "print each day as comma-separated values" },
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway reconcile history",
    "majordomo-gateway reconcile history --provider openai --since 90d --csv > openai.csv",
  ],
  async run({ args }) {
    checkFormat(args)
    const { provider, since, until, period, month } = args
    const result = await call(args, reconciliations.list, { provider, since, until, period, month })
    if (args.json) return printJson(result)
    const days = result.providers.flatMap(toDays)
    if (args.csv) return print(toDaysCsv(days))
    if (days.length === 0) {
      return printMessage("No bill was compared on these days: majordomo-gateway reconcile compares one now.")
    }
    print(renderDays(days, findScreen()))
  },
})

type Day = ReconciliationObject["days"][number] &
  Pick<ReconciliationObject, "provider" | "account"> & {
    /** USD by cause. */
    readonly amounts: ReadonlyMap<string, string>
  }

function toDays({ provider, account, days }: ReconciliationObject): Day[] {
  return days.map((day) => ({
    ...day,
    provider,
    account,
    amounts: new Map(day.totals.map(({ cause, amount }) => [cause, amount])),
  }))
}

function renderDays(days: readonly Day[], screen: Screen): string {
  return renderTable(
    [
      { title: "Provider", align: "left", cells: days.map(({ provider }) => provider) },
      { title: "Day", align: "left", cells: days.map(({ day, settling }) => (settling ? `${day} (settling)` : day)) },
      { title: "Billed", align: "right", cells: alignPoints(days.map(({ billed }) => toDollars(billed))) },
      { title: "Recorded", align: "right", cells: alignPoints(days.map(({ recorded }) => toDollars(recorded))) },
      { title: "", align: "right", cells: days.map(toShare), hideRank: 1 },
      { title: "Difference", align: "right", cells: alignPoints(days.map(({ difference }) => toDollars(difference))) },
      { title: "Causes", align: "left", cells: days.map(describeCauses), shrinks: true },
    ],
    screen,
  )
}

function describeCauses({ amounts }: Day): string {
  return CAUSES.flatMap((cause) => {
    const amount = amounts.get(cause)
    return amount === undefined ? [] : [`${TITLES[cause]} ${toDollars(amount)}`]
  }).join(", ")
}

function toDaysCsv(days: readonly Day[]): string {
  const rows = days.map(({ provider, account, day, settling, billed, recorded, difference, amounts }) => {
    return [
      provider,
      account,
      day,
      settling,
      billed,
      recorded,
      difference,
      ...CAUSES.map((each) => amounts.get(each) ?? "0"),
    ]
  })
  return toCsv(["provider", "account", "day", "settling", "billed", "recorded", "difference", ...CAUSES], rows)
}
