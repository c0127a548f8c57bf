import { metadata } from "../../api/routes/metadata.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { print, printJson } from "../_print.ts"
import { NAME_OPTIONS } from "./_options.ts"

export default defineCommand({
  meta: {
    name: "deactivate",
    description: "no longer index and aggregate requests by a metadata name; the requests keep it",
  },
  args: { ...NAME_OPTIONS, ...JSON_OPTION, ...REMOTE },
  examples: ["majordomo-gateway metadata deactivate User-Id"],
  async run({ args }) {
    const result = await call(args, metadata.deactivate, { name: args.name, key: args.key })
    if (args.json) return printJson(result)
    const { name, key } = result
    const scope = key === null ? "" : " for this key"
    print(`${name} is no longer active${scope}; usage --by ${name} still works, but reads every request of the period`)
  },
})
