import { deactivateName } from "../../database/metadata.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { withDatabase } from "../_open.ts"
import { print, printJson } from "../_print.ts"
import { NAME_OPTIONS, toNameChoice } from "./_name.ts"

export default defineCommand({
  meta: {
    name: "deactivate",
    description: "no longer index and sum requests by a metadata name; the requests keep it",
  },
  args: { ...NAME_OPTIONS, ...JSON_OPTION, ...COMMON },
  examples: ["majordomo-gateway metadata deactivate User-Id"],
  async run({ args }) {
    const choice = toNameChoice(args)
    await withDatabase(args.config, async (database) => {
      await deactivateName(database, choice)
      if (args.json) printJson({ name: choice.name, key: choice.key ?? null, active: false })
      else
        print(
          `${choice.name} is not active any more${choice.key === undefined ? "" : " for this key"}; usage --by ${choice.name} still works, from the requests themselves`,
        )
    })
  },
})
