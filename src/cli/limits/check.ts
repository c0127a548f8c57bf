import { limits } from "../../api/routes/limits.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { findScreen, print, printJson, printMessage } from "../_print.ts"
import { readConditions, renderLimits } from "./_limits.ts"

export default defineCommand({
  meta: { name: "check", description: "which limits apply to a request, and what is left, the tightest first" },
  args: {
    key: { type: "string", valueHint: "KEY", description: "the API key of the request, by its id or its name" },
    model: { type: "string", valueHint: "NAME", description: "its model" },
    provider: { type: "string", valueHint: "NAME", description: "its provider" },
    where: { type: "string", valueHint: "NAME=VALUE", description: "its metadata, such as User-Id=42 (repeatable)" },
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: ["majordomo-gateway limits check --key Search --model gpt-5 --where User-Id=42"],
  async run({ args, rawArgs }) {
    const { key, model, provider } = args
    const found = await call(args, limits.check, { key, model, provider, where: readConditions(rawArgs) })
    if (args.json) printJson(found)
    else if (found.length > 0) print(renderLimits(found, findScreen(), Date.now()))
    else printMessage("No limit applies to such a request.")
  },
})
