import { imports } from "../../api/routes/imports.ts"
import type { ImportObject } from "../../operations/imports/list.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { alignPoints, toExactDollars } from "../_money.ts"
import { findScreen, print, printJson, printMessage, type Screen } from "../_print.ts"
import { renderTable, toCounts } from "../_table.ts"
import { toTime } from "../keys/_keys.ts"

export default defineCommand({
  meta: { name: "list", description: "all imports of requests, the newest first" },
  args: { ...JSON_OPTION, ...REMOTE },
  examples: ["majordomo-gateway import list"],
  async run({ args }) {
    const { imports: all } = await call(args, imports.list, {})
    if (args.json) printJson(all)
    else if (all.length === 0) printMessage("Nothing was imported yet. See: majordomo-gateway import --help")
    else print(renderImports(all, findScreen()))
  },
})

function renderImports(all: readonly ImportObject[], screen: Screen): string {
  const toPeriod = ({ first_at: first, last_at: last }: ImportObject) =>
    first === null ? "-" : `${first.slice(0, 10)} to ${last!.slice(0, 10)}`
  return renderTable(
    [
      { title: "Id", align: "left", cells: all.map(({ id }) => id) },
      { title: "Source", align: "left", cells: all.map(({ source }) => source) },
      { title: "Imported", align: "left", cells: all.map(({ started_at: at }) => toTime(at)), hideRank: 2 },
      { title: "Requests", align: "right", cells: toCounts(all.map(({ requests }) => requests)) },
      { title: "Cost", align: "right", cells: alignPoints(all.map(({ total_cost: cost }) => toExactDollars(cost))) },
      { title: "Period", align: "left", cells: all.map(toPeriod), hideRank: 1 },
      { title: "Status", align: "left", cells: all.map(({ status }) => status) },
    ],
    screen,
  )
}
