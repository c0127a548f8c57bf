import { limits } from "../../api/routes/limits.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { confirm, YES_OPTION } from "../_confirm.ts"
import { print, printJson } from "../_print.ts"
import { printable } from "../_text.ts"
import { LIMIT } from "./_limits.ts"

export default defineCommand({
  meta: { name: "delete", description: "delete a limit, for every gateway of the database" },
  args: { limit: LIMIT, ...YES_OPTION, ...JSON_OPTION, ...REMOTE },
  examples: ["majordomo-gateway limits delete search"],
  async run({ args }) {
    await confirm(`Delete the limit ${printable(args.limit)}?`, args)
    const deleted = await call(args, limits.delete, { id: args.limit })
    if (args.json) printJson(deleted)
    else print(`Deleted ${printable(deleted.name)}. It said: ${printable(deleted.summary)}`)
  },
})
