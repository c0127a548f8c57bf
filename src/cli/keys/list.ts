import { type ApiKey, listKeys } from "../../database/keys.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { withDatabase } from "../_open.ts"
import { findScreen, print, printJson, type Screen, say } from "../_print.ts"
import { renderTable, toCounts } from "../_table.ts"
import { toKeyObject, toStatus, toTime } from "./_keys.ts"

export default defineCommand({
  meta: { name: "list", description: "all API keys, with their status and use" },
  args: { ...JSON_OPTION, ...COMMON },
  examples: ["majordomo-gateway keys list", "majordomo-gateway keys list --json"],
  async run({ args }) {
    await withDatabase(args.config, async (database) => {
      const keys = await listKeys(database)
      if (args.json) printJson(keys.map(toKeyObject))
      else if (keys.length === 0) say("No keys yet. The first one: majordomo-gateway keys create --name Development")
      else print(renderKeys(keys, findScreen()))
    })
  },
})

function renderKeys(keys: readonly ApiKey[], screen: Screen): string {
  return renderTable(
    [
      { title: "ID", align: "left", cells: keys.map(({ id }) => id) },
      { title: "Name", align: "left", cells: keys.map(({ name }) => name), shrinks: true },
      { title: "Status", align: "left", cells: keys.map(toStatus) },
      { title: "Requests", align: "right", cells: toCounts(keys.map((key) => key.requestCount)) },
      { title: "Last used", align: "left", cells: keys.map((key) => toTime(key.lastUsedAt)), leaves: 3 },
      { title: "Created", align: "left", cells: keys.map((key) => toTime(key.createdAt)), leaves: 4 },
      { title: "Revoked", align: "left", cells: keys.map((key) => toTime(key.revokedAt)), leaves: 5 },
      {
        title: "Description",
        align: "left",
        cells: keys.map((key) => key.description ?? ""),
        leaves: 6,
        shrinks: true,
      },
    ],
    screen,
  )
}
