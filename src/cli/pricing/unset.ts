import { priceOverrides } from "../../api/routes/price-overrides.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { print, printJson } from "../_print.ts"
import { printable } from "../_text.ts"
import { describeOverride, OVERRIDDEN } from "./_overrides.ts"

export default defineCommand({
  meta: { name: "unset", description: "remove prices that were set by pricing set" },
  args: {
    ...OVERRIDDEN,
    from: {
      type: "string",
      valueHint: "DATE",
      description: "only the price of this day, or start: the one without a day (default: all of the model)",
    },
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway pricing unset my-model",
    "majordomo-gateway pricing unset gpt-4o --provider azure --from 2026-12-01",
  ],
  async run({ args }) {
    const { model, provider, from } = args
    const removed = await call(args, priceOverrides.unset, { model, provider, from })
    if (args.json) printJson(removed)
    else print(removed.map((each) => `Removed: ${printable(describeOverride(each))}`).join("\n"))
  },
})
