import { audit } from "../../api/routes/audit.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { findScreen, print, printJson, printMessage } from "../_print.ts"
import { type Column, renderTable } from "../_table.ts"
import { toTime } from "../keys/_keys.ts"

export default defineCommand({
  meta: { name: "list", description: "who changed what, when and from where, the newest first" },
  args: {
    since: { type: "string", valueHint: "WHEN", description: "from then on: 7d, 24h, 2026-11-01, today or month" },
    limit: { type: "string", valueHint: "N", description: "at most so many (default 100)" },
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: ["majordomo-gateway audit list --since 7d", "majordomo-gateway audit list --limit 1 --json"],
  async run({ args }) {
    const { items } = await call(args, audit.list, { since: args.since, limit: args.limit })
    if (args.json) return printJson(items)
    if (items.length === 0) return printMessage("Nobody has changed anything yet.")
    const text = (title: string, cells: readonly string[], more: Partial<Column> = {}): Column => {
      return { title, align: "left", cells, ...more }
    }
    const table = renderTable(
      [
        text(
          "Time",
          items.map(({ at }) => toTime(at)),
        ),
        text(
          "Who",
          items.map(({ actor_kind: kind, actor_name: name }) => `${name} (${kind})`),
          { shrinks: true },
        ),
        text(
          "From",
          items.map(({ address }) => address ?? "-"),
          { hideRank: 2 },
        ),
        text(
          "Did",
          items.map(({ action }) => action),
        ),
        text(
          "To",
          items.map(({ target }) => target ?? "-"),
          { hideRank: 1, shrinks: true },
        ),
      ],
      findScreen(),
    )
    print(table)
  },
})
