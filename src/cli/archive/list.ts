import { archive } from "../../api/routes/archive.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { toExactDollars } from "../_money.ts"
import { findScreen, print, printJson, printMessage } from "../_print.ts"
import { type Column, renderTable } from "../_table.ts"
import { withThousands } from "../_text.ts"

export default defineCommand({
  meta: { name: "list", description: "the days of the archive, the oldest first" },
  args: { ...JSON_OPTION, ...REMOTE },
  examples: ["majordomo-gateway archive list", "majordomo-gateway archive list --json"],
  async run({ args }) {
    const { items } = await call(args, archive.list, {})
    if (args.json) return printJson(items)
    if (items.length === 0) return printMessage("The archive has no day yet: majordomo-gateway archive --to PLACE")
    const column = (
      title: string,
      align: Column["align"],
      cells: readonly string[],
      more: Partial<Column> = {},
    ): Column => {
      return { title, align, cells, ...more }
    }
    const columns = [
      column(
        "Day",
        "left",
        items.map(({ day }) => day),
      ),
      column(
        "Status",
        "left",
        items.map(({ status }) => status),
      ),
      column(
        "Rows",
        "right",
        items.map(({ rows }) => withThousands(rows)),
      ),
      column(
        "Cost",
        "right",
        items.map(({ cost }) => toExactDollars(cost)),
      ),
      column(
        "Files",
        "right",
        items.map(({ files }) => withThousands(files.length)),
      ),
      column(
        "MB",
        "right",
        items.map(({ bytes }) => withThousands(Math.ceil(bytes / 1e6))),
      ),
      column(
        "Place",
        "left",
        items.map(({ place }) => place),
        { shrinks: true, hideRank: 1 },
      ),
    ]
    print(renderTable(columns, findScreen()))
  },
})
