import { prices } from "../../api/routes/prices.ts"
import { CommandError } from "../../core/errors.ts"
import type { refreshPrices } from "../../operations/prices/refresh.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { print, printJson } from "../_print.ts"

type SourceResult = Awaited<ReturnType<typeof refreshPrices>>["sources"][number]

export default defineCommand({
  meta: { name: "refresh", description: "fetch the price lists now, and keep them for the next start" },
  args: { ...JSON_OPTION, ...REMOTE },
  examples: ["majordomo-gateway pricing refresh"],
  async run({ args }) {
    const result = await call(args, prices.refresh, {})
    const { sources } = result
    if (args.json) printJson(result)
    else print(sources.map(describeSource).join("\n"))
    const failed = sources.filter(({ status }) => status === "failed").map(({ source }) => source)
    if (failed.length === 0) return
    throw new CommandError(`the prices of ${failed.join(", ")} could not be fetched; they stay as they are`)
  },
})

function describeSource({ source, status, updated_at: day, models, reason }: SourceResult): string {
  if (reason !== null) return `${source}: ${status === "off" ? "off" : "not fetched"}, ${reason}`
  return `${source}: ${status === "updated" ? "fetched" : "unchanged"}, ${models} prices of ${day}`
}
