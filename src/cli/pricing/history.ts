import { prices } from "../../api/routes/prices.ts"
import type { PriceChangeObject } from "../../operations/prices/history.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { findScreen, print, printJson, type Screen } from "../_print.ts"
import { renderTable } from "../_table.ts"
import { printable, withThousands } from "../_text.ts"
import { MODEL } from "./_model.ts"

export default defineCommand({
  meta: { name: "history", description: "how the prices of one model changed, in each source" },
  args: {
    ...MODEL,
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: ["majordomo-gateway pricing history o3", "majordomo-gateway pricing history o3 --json"],
  async run({ args }) {
    const changes = await call(args, prices.history, { model: args.model, provider: args.provider })
    if (args.json) printJson(changes)
    else print(render(changes, findScreen()))
  },
})

function render(changes: readonly PriceChangeObject[], screen: Screen): string {
  const names = [...new Set(changes.map(nameOf))]
  return names
    .map((name) => {
      const own = changes.filter((change) => nameOf(change) === name)
      return `${printable(name)}\n\n${renderChanges(own, screen)}`
    })
    .join("\n")
}

function nameOf({ provider, model }: PriceChangeObject): string {
  return `${model} at ${provider}, in USD per million tokens`
}

function renderChanges(changes: readonly PriceChangeObject[], screen: Screen): string {
  return renderTable(
    [
      { title: "Since", align: "left", cells: changes.map(({ since }) => toMinute(since)) },
      { title: "Source", align: "left", cells: changes.map(({ source }) => source) },
      {
        title: "Prices",
        align: "left",
        cells: changes.map((change, index) => {
          const before = changes[index - 1]
          return describeChange(change, before?.source === change.source ? before : undefined)
        }),
        shrinks: true,
      },
    ],
    screen,
  )
}

function toMinute(since: string | null): string {
  if (since === null) return "(first known)"
  return since.endsWith("T00:00:00.000Z") ? since.slice(0, 10) : `${since.slice(0, 16).replace("T", " ")} UTC`
}

/** Describes the first prices of a source completely, and later ones by what is different. */
function describeChange(change: PriceChangeObject, before: PriceChangeObject | undefined): string {
  if (!change.listed) return "no longer listed"
  const now = flatten(change)
  const old = before ? flatten(before) : new Map<string, string>()
  const changed = [...now].flatMap(([name, usd]) => {
    const was = old.get(name)
    if (was === usd) return []
    return [was === undefined ? `${name} ${usd}` : `${name} ${was} -> ${usd}`]
  })
  const gone = [...old.keys()].filter((name) => !now.has(name)).map((name) => `${name} removed`)
  return [...changed, ...gone].join(", ")
}

function flatten({ rates, long_context: long }: PriceChangeObject): ReadonlyMap<string, string> {
  const tiers = long.flatMap(({ above_tokens: above, rates: tier }) =>
    Object.entries(tier).map(([name, usd]) => [`${name} over ${withThousands(above)} tokens`, usd] as const),
  )
  return new Map([...Object.entries(rates), ...tiers])
}
