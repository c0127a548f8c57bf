import { metadata } from "../../api/routes/metadata.ts"
import { isCountedWhole, type MetadataName, SAMPLED_REQUESTS } from "../../operations/metadata/list.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { findScreen, print, printJson, printMessage, type Screen } from "../_print.ts"
import { renderTable, toCounts } from "../_table.ts"
import { withThousands, wrap } from "../_text.ts"
import { toTime } from "../keys/_keys.ts"

export default defineCommand({
  meta: { name: "list", description: "the metadata names that requests carried, and which of them are active" },
  args: { ...JSON_OPTION, ...REMOTE },
  examples: ["majordomo-gateway metadata list"],
  async run({ args }) {
    const names = await call(args, metadata.list, {})
    if (args.json) printJson(names)
    else if (names.length > 0) print(renderNames(names, findScreen()))
    else printMessage("No request carried metadata yet: send a header such as X-Majordomo-User-Id: 42")
  },
})

function renderNames(names: readonly MetadataName[], screen: Screen): string {
  const values = names.map((name) => `${withThousands(name.distinct_values ?? 0)}${isCountedWhole(name) ? "" : "*"}`)
  const table = renderTable(
    [
      { title: "Name", align: "left", cells: names.map(({ name }) => name), shrinks: true },
      { title: "Requests", align: "right", cells: toCounts(names.map(({ requests }) => requests)) },
      { title: "Values", align: "right", cells: values },
      { title: "Active", align: "left", cells: names.map(describeActive), shrinks: true },
      { title: "Last seen", align: "left", cells: names.map((name) => toTime(name.last_seen_at)), hideRank: 1 },
    ],
    screen,
  )
  if (names.every(isCountedWhole)) return table
  const sample = withThousands(SAMPLED_REQUESTS)
  const note = `* in the newest ${sample} requests; the values of active names are counted in all requests.`
  return `${table}${wrap(note, screen.width).join("\n")}\n`
}

function describeActive({ active, active_keys }: MetadataName): string {
  return active === "all" ? "yes" : active === "none" ? "no" : `for ${active_keys.join(", ")}`
}
