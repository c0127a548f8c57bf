import { getKey } from "../../operations/keys/get.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { withDatabase } from "../_open.ts"
import { print, printJson } from "../_print.ts"
import { ID, renderKey } from "./_keys.ts"

export default defineCommand({
  meta: { name: "get", description: "one API key" },
  args: { id: ID, ...JSON_OPTION, ...COMMON },
  examples: ["majordomo-gateway keys get a1b2c3d4-e5f6-7890-abcd-ef1234567890"],
  async run({ args }) {
    await withDatabase(args.config, async (context) => {
      const key = await getKey(context, { id: args.id })
      if (args.json) printJson(key)
      else print(renderKey(key))
    })
  },
})
