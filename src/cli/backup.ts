import { version } from "../../package.json"
import { backUpDatabase, requireEmbedded } from "../operations/backup.ts"
import { COMMON, defineCommand, JSON_OPTION } from "./_command.ts"
import { noteThisMachine } from "./_gateway.ts"
import { withDatabase, withSettings } from "./_open.ts"
import { print, printJson } from "./_print.ts"
import { createByteProgress } from "./_progress.ts"
import { printable, withThousands } from "./_text.ts"

export default defineCommand({
  meta: { name: "backup", description: "write the embedded database into one file; also while the gateway runs" },
  args: {
    file: { type: "positional", required: true, description: "the file to create, such as majordomo.backup" },
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: [
    "majordomo-gateway backup majordomo.backup",
    "majordomo-gateway backup /backups/$(date +%F).backup --json",
  ],
  async run({ args }) {
    noteThisMachine(args)
    await withSettings(args.config, (context) => requireEmbedded(context, "pg_dump --format=custom --file=FILE"))
    const stop = new AbortController()
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort())
    await withDatabase(args.config, async (context) => {
      const progress = createByteProgress()
      const input = { file: args.file, program: version, signal: stop.signal }
      const result = await backUpDatabase({ ...context, onProgress: progress.update }, input).finally(progress.end)
      if (args.json) printJson(result)
      else
        print(`Wrote ${printable(result.file)}: ${withThousands(Math.ceil(result.bytes / 1e6))} MB before compression`)
    })
  },
})
