import { providerKeys } from "../../api/routes/provider-keys.ts"
import type { ListedProviderKey } from "../../operations/provider-keys/provider-key.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { findScreen, print, printJson, printMessage, type Screen } from "../_print.ts"
import { type Column, renderTable } from "../_table.ts"
import { toTime } from "../keys/_keys.ts"

export default defineCommand({
  meta: {
    name: "list",
    description: "the provider keys, without their secrets, and the API keys that are bound to them",
  },
  args: { ...JSON_OPTION, ...REMOTE },
  examples: ["majordomo-gateway provider-keys list", "majordomo-gateway provider-keys list --json"],
  async run({ args }) {
    const all = await call(args, providerKeys.list, {})
    if (args.json) printJson(all)
    else if (all.length > 0) print(renderProviderKeys(all, findScreen()))
    else printMessage("No provider keys yet. The first one: majordomo-gateway provider-keys add openai")
  },
})

function renderProviderKeys(keys: readonly ListedProviderKey[], screen: Screen): string {
  const text = (title: string, pick: (key: ListedProviderKey) => string, more: Partial<Column> = {}): Column => {
    return { title, align: "left", cells: keys.map(pick), ...more }
  }
  return renderTable(
    [
      text("Name", ({ provider, alias }) => `${provider}:${alias}`),
      text("Status", ({ status, is_default: isDefault }) => (isDefault ? "default" : status)),
      text("Kind", ({ kind }) => kind, { hideRank: 6 }),
      text("Ends with", ({ last_four: end }) => end || "-", { hideRank: 2 }),
      text("Bound API keys", ({ bound_keys: bound }) => bound.map(({ name }) => name).join(", ") || "-", {
        shrinks: true,
      }),
      text("Last used", (key) => toTime(key.last_used_at), { hideRank: 3 }),
      text("Created", (key) => toTime(key.created_at), { hideRank: 4 }),
      text("Rotated", (key) => toTime(key.rotated_at), { hideRank: 5 }),
      text("ID", ({ id }) => id, { hideRank: 7 }),
    ],
    screen,
  )
}
