import { metadata } from "../../api/routes/metadata.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { print, printJson } from "../_print.ts"
import { withThousands } from "../_text.ts"
import { NAME_OPTIONS } from "./_options.ts"

export default defineCommand({
  meta: {
    name: "activate",
    description: "index and aggregate requests by a metadata name, earlier ones too, so that reports by it are fast",
  },
  args: { ...NAME_OPTIONS, ...JSON_OPTION, ...REMOTE },
  examples: [
    "majordomo-gateway metadata activate User-Id",
    "majordomo-gateway metadata activate Feature --key Production",
  ],
  async run({ args }) {
    const result = await call(args, metadata.activate, { name: args.name, key: args.key })
    if (args.json) return printJson(result)
    const { name, indexed } = result
    print(`${name} is active; ${withThousands(indexed)} earlier requests were indexed. Try usage --by ${name}`)
  },
})
