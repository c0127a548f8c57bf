import { deactivateMetadata } from "../../operations/metadata/deactivate.ts"
import { parseName } from "../../operations/metadata/name.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { withDatabase } from "../_open.ts"
import { print, printJson } from "../_print.ts"
import { NAME_OPTIONS } from "./_options.ts"

export default defineCommand({
  meta: {
    name: "deactivate",
    description: "no longer index and aggregate requests by a metadata name; the requests keep it",
  },
  args: { ...NAME_OPTIONS, ...JSON_OPTION, ...COMMON },
  examples: ["majordomo-gateway metadata deactivate User-Id"],
  async run({ args }) {
    const choice = parseName(args)
    await withDatabase(args.config, async (context) => {
      const result = await deactivateMetadata(context, choice)
      if (args.json) return printJson(result)
      const { name, key } = result
      const scope = key === null ? "" : " for this key"
      print(
        `${name} is no longer active${scope}; usage --by ${name} still works, but reads every request of the period`,
      )
    })
  },
})
