import { refreshPrices } from "../../operations/prices/refresh.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { withPrices } from "../_open.ts"
import { print, printJson } from "../_print.ts"

export default defineCommand({
  meta: { name: "refresh", description: "fetch the price list now, and keep it for the next start" },
  args: { ...JSON_OPTION, ...COMMON },
  examples: ["majordomo-gateway pricing refresh"],
  async run({ args }) {
    await withPrices(args.config, async (context) => {
      const result = await refreshPrices(context)
      if (args.json) return printJson(result)
      const { status, models, updated_at: day } = result
      print(`${status === "updated" ? "Fetched" : "Unchanged"}: ${models} prices of ${day}`)
    })
  },
})
