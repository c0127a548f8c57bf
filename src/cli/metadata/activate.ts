import { backfillName } from "../../database/backfill.ts"
import { activateName } from "../../database/metadata.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { withDatabase } from "../_open.ts"
import { print, printJson } from "../_print.ts"
import { createProgress } from "../_progress.ts"
import { withThousands } from "../_text.ts"
import { NAME_OPTIONS, toNameChoice } from "./_name.ts"

export default defineCommand({
  meta: {
    name: "activate",
    description: "index and sum requests by a metadata name, those of the past too, so that reports by it are quick",
  },
  args: { ...NAME_OPTIONS, ...JSON_OPTION, ...COMMON },
  examples: [
    "majordomo-gateway metadata activate User-Id",
    "majordomo-gateway metadata activate Feature --key Production",
  ],
  async run({ args }) {
    const choice = toNameChoice(args)
    await withDatabase(args.config, async (database) => {
      await activateName(database, choice)
      const progress = createProgress("requests")
      const indexed = await backfillName(database, choice.name, progress.update).finally(progress.end)
      if (args.json) printJson({ name: choice.name, key: choice.key ?? null, active: true, indexed })
      else
        print(
          `${choice.name} is active; ${withThousands(indexed)} requests of the past were indexed. Try usage --by ${choice.name}`,
        )
    })
  },
})
