import { limits } from "../../api/routes/limits.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { print, printJson } from "../_print.ts"
import { describe, FIELDS, LIMIT, readFields } from "./_limits.ts"

export default defineCommand({
  meta: { name: "update", description: "change a limit, within a second on every gateway; nothing used is forgotten" },
  args: {
    limit: LIMIT,
    name: { type: "string", valueHint: "NAME", description: "another name" },
    ...FIELDS,
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway limits update search --amount 80",
    "majordomo-gateway limits update search --where Team=search --where Feature=chat",
    'majordomo-gateway limits update search --key ""',
  ],
  async run({ args, rawArgs }) {
    const changed = await call(args, limits.update, { id: args.limit, name: args.name, ...readFields(args, rawArgs) })
    if (args.json) printJson(changed)
    else print(describe(changed))
  },
})
