import { keys } from "../../api/routes/keys.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { print, printJson } from "../_print.ts"
import { ID, renderKey } from "./_keys.ts"

export default defineCommand({
  meta: { name: "get", description: "one API key" },
  args: { id: ID, ...JSON_OPTION, ...REMOTE },
  examples: ["majordomo-gateway keys get Search", "majordomo-gateway keys get a1b2c3d4 --json"],
  async run({ args }) {
    const key = await call(args, keys.get, { id: args.id })
    if (args.json) printJson(key)
    else print(renderKey(key))
  },
})
