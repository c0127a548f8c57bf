import { keys } from "../../api/routes/keys.ts"
import type { Key } from "../../operations/keys/key.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { findScreen, print, printJson, printMessage, type Screen } from "../_print.ts"
import { type Column, renderTable, toCounts, toShortIds } from "../_table.ts"
import { toShortMoments } from "../_text.ts"
import { toDiscount, toLimits, toTime } from "./_keys.ts"

export default defineCommand({
  meta: { name: "list", description: "all API keys, with their status and use" },
  args: { ...JSON_OPTION, ...REMOTE },
  examples: ["majordomo-gateway keys list", "majordomo-gateway keys list --json"],
  async run({ args }) {
    const all = await call(args, keys.list, {})
    if (args.json) printJson(all)
    else if (all.length > 0) print(renderKeys(all, findScreen()))
    else printMessage("No keys yet. The first one:\n  majordomo-gateway keys create --name Development")
  },
})

function renderKeys(keys: readonly Key[], screen: Screen): string {
  const text = (title: string, pick: (key: Key) => string, more: Partial<Column> = {}): Column => {
    return { title, align: "left", cells: keys.map(pick), ...more }
  }
  const toLastUse = (key: Key) => toTime(key.last_used_at)
  return renderTable(
    [
      text("ID", ({ id }) => id, { short: toShortIds(keys.map(({ id }) => id)) }),
      text("Name", ({ name }) => name, { shrinks: true }),
      text("Status", ({ status }) => status),
      { title: "Requests", align: "right", cells: toCounts(keys.map((key) => key.request_count)) },
      text("Last used", toLastUse, { hideRank: 3, short: toShortMoments(keys.map(toLastUse)) }),
      ...(keys.some((key) => key.discount_percent !== null) ? [text("Discount", toDiscount, { hideRank: 2 })] : []),
      ...(keys.some((key) => key.expires_at !== null) ? [text("Expires", (key) => toTime(key.expires_at))] : []),
      ...(keys.some((key) => key.limits.length > 0) ? [text("Limits", toLimits, { hideRank: 1, shrinks: true })] : []),
      text("Created", (key) => toTime(key.created_at), { hideRank: 4 }),
      text("Revoked", (key) => toTime(key.revoked_at), { hideRank: 5 }),
      text("Description", ({ description }) => description ?? "", { hideRank: 6, shrinks: true }),
    ],
    screen,
  )
}
