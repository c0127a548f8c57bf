import { listMetadata, type MetadataName, NEWEST } from "../../database/metadata.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { withDatabase } from "../_open.ts"
import { findScreen, print, printJson, type Screen, say } from "../_print.ts"
import { renderTable, toCounts } from "../_table.ts"
import { withThousands } from "../_text.ts"
import { toTime } from "../keys/_keys.ts"

export default defineCommand({
  meta: { name: "list", description: "the metadata names that requests carried, and which of them are active" },
  args: { ...JSON_OPTION, ...COMMON },
  examples: ["majordomo-gateway metadata list"],
  async run({ args }) {
    await withDatabase(args.config, async (database) => {
      const names = await listMetadata(database)
      if (args.json) printJson(names.map(toNameObject))
      else if (names.length === 0) say("No request carried metadata yet: send a header such as X-Majordomo-User-Id: 42")
      else print(renderNames(names, findScreen()))
    })
  },
})

function toNameObject(name: MetadataName): Record<string, unknown> {
  return {
    name: name.name,
    requests: name.requests,
    distinct_values: name.distinctValues,
    distinct_values_of: name.isCountedWhole ? "all requests" : `the newest ${NEWEST} requests`,
    active: name.active,
    active_keys: name.activeKeys,
    last_seen_at: name.lastSeenAt ?? null,
  }
}

export function renderNames(names: readonly MetadataName[], screen: Screen): string {
  const values = names.map((name) => `${withThousands(name.distinctValues)}${name.isCountedWhole ? "" : "*"}`)
  const table = renderTable(
    [
      { title: "Name", align: "left", cells: names.map(({ name }) => name), shrinks: true },
      { title: "Requests", align: "right", cells: toCounts(names.map(({ requests }) => requests)) },
      { title: "Values", align: "right", cells: values },
      { title: "Active", align: "left", cells: names.map(toActive), shrinks: true },
      { title: "Last seen", align: "left", cells: names.map(({ lastSeenAt }) => toTime(lastSeenAt)), leaves: 1 },
    ],
    screen,
  )
  const isPartial = names.some(({ isCountedWhole }) => !isCountedWhole)
  return isPartial
    ? `${table}* among the newest ${withThousands(NEWEST)} requests; active names are counted whole.\n`
    : table
}

function toActive({ active, activeKeys }: MetadataName): string {
  return active === "all" ? "yes" : active === "none" ? "no" : `for ${activeKeys.join(", ")}`
}
