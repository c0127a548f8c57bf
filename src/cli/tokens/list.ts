import { tokens } from "../../api/routes/tokens.ts"
import type { Token } from "../../operations/tokens/token.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { findScreen, print, printJson, printMessage, type Screen } from "../_print.ts"
import { type Column, renderTable } from "../_table.ts"
import { toTime } from "../keys/_keys.ts"

export default defineCommand({
  meta: { name: "list", description: "all admin tokens, with their role and use" },
  args: { ...JSON_OPTION, ...REMOTE },
  examples: ["majordomo-gateway tokens list", "majordomo-gateway tokens list --json"],
  async run({ args }) {
    const all = await call(args, tokens.list, {})
    if (args.json) printJson(all)
    else if (all.length > 0) print(renderTokens(all, findScreen()))
    else printMessage("No admin tokens yet. The first one:\n  majordomo-gateway tokens create --name NAME --role admin")
  },
})

function renderTokens(tokens: readonly Token[], screen: Screen): string {
  const text = (title: string, pick: (token: Token) => string, more: Partial<Column> = {}): Column => {
    return { title, align: "left", cells: tokens.map(pick), ...more }
  }
  return renderTable(
    [
      text("ID", ({ id }) => id),
      text("Name", ({ name }) => name, { shrinks: true }),
      text("Role", ({ role }) => role),
      text("Status", ({ status }) => status),
      text("Expires", (token) => toTime(token.expires_at), { hideRank: 2 }),
      text("Last used", (token) => toTime(token.last_used_at), { hideRank: 3 }),
      text("Created", (token) => toTime(token.created_at), { hideRank: 4 }),
      text("Created by", (token) => token.created_by, { hideRank: 5, shrinks: true }),
      text("Revoked", (token) => toTime(token.revoked_at), { hideRank: 6 }),
    ],
    screen,
  )
}
