import { CommandError } from "../../core/errors.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { print, printJson } from "../_print.ts"
import { withPriceBook } from "./_book.ts"

export default defineCommand({
  meta: { name: "refresh", description: "fetch the price list now, and keep it for the next start" },
  args: { ...JSON_OPTION, ...COMMON },
  examples: ["majordomo-gateway pricing refresh"],
  async run({ args }) {
    await withPriceBook(args.config, async (book) => {
      const result = await book.refresh()
      if (result.status === "off") throw new CommandError("pricing.remote_url is empty: there is nothing to fetch")
      if (result.status === "failed") {
        throw new CommandError(`the price list could not be fetched: ${result.reason}; prices stay as they are`)
      }
      const { status, day, models } = result
      if (args.json) printJson({ status, updated_at: day, models })
      else print(`${status === "updated" ? "Fetched" : "Unchanged"}: ${models} prices of ${day}`)
    })
  },
})
