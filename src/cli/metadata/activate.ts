import { activateMetadata } from "../../operations/metadata/activate.ts"
import { parseName } from "../../operations/metadata/name.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { withDatabase } from "../_open.ts"
import { print, printJson } from "../_print.ts"
import { createProgress } from "../_progress.ts"
import { withThousands } from "../_text.ts"
import { NAME_OPTIONS } from "./_options.ts"

export default defineCommand({
  meta: {
    name: "activate",
    description: "index and aggregate requests by a metadata name, earlier ones too, so that reports by it are fast",
  },
  args: { ...NAME_OPTIONS, ...JSON_OPTION, ...COMMON },
  examples: [
    "majordomo-gateway metadata activate User-Id",
    "majordomo-gateway metadata activate Feature --key Production",
  ],
  async run({ args }) {
    const choice = parseName(args)
    await withDatabase(args.config, async (context) => {
      const progress = createProgress("requests")
      const activating = activateMetadata({ ...context, onProgress: progress.update }, choice)
      const result = await activating.finally(progress.end)
      if (args.json) return printJson(result)
      const { name, indexed } = result
      print(`${name} is active; ${withThousands(indexed)} earlier requests were indexed. Try usage --by ${name}`)
    })
  },
})
