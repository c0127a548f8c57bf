import { requireEmbedded, restoreDatabase } from "../operations/backup.ts"
import { COMMON, defineCommand, JSON_OPTION } from "./_command.ts"
import { noteThisMachine } from "./_gateway.ts"
import { withSettings } from "./_open.ts"
import { print, printJson } from "./_print.ts"
import { createByteProgress } from "./_progress.ts"
import { printable, withThousands } from "./_text.ts"

export default defineCommand({
  meta: { name: "restore", description: "replace the embedded database by that of a backup; the gateway must not run" },
  args: {
    file: { type: "positional", required: true, description: "a file that the command backup wrote" },
    force: {
      type: "boolean",
      description: "also if there are data already, which are moved to a directory of their own",
    },
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: ["majordomo-gateway restore majordomo.backup", "majordomo-gateway restore majordomo.backup --force"],
  async run({ args }) {
    noteThisMachine(args)
    await withSettings(args.config, async (context) => {
      requireEmbedded(context, "pg_restore --dbname=URL FILE")
      const progress = createByteProgress()
      const input = { file: args.file, force: args.force === true }
      const result = await restoreDatabase({ ...context, onProgress: progress.update }, input).finally(progress.end)
      if (args.json) printJson(result)
      else print(describe(result))
    })
  },
})

function describe(result: Awaited<ReturnType<typeof restoreDatabase>>): string {
  const { keys, requests, data_dir: dir, created_at: at, replaced } = result
  const { schema_version_before: before, schema_version: now } = result
  return [
    `Restored ${withThousands(requests)} ${requests === 1 ? "request" : "requests"} and ${withThousands(keys)} ${keys === 1 ? "key" : "keys"} of ${at} into ${printable(dir)}`,
    ...(before === now ? [] : [`The schema was brought from version ${before} to version ${now}`]),
    ...(replaced === null
      ? []
      : [`The earlier data are in ${printable(replaced)}: delete it when you need it no more`]),
    "A key that was revoked after the backup is valid again (majordomo-gateway keys list)",
  ].join("\n")
}
