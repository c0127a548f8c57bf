import { type CopyResult, copyToPostgres, parseTarget } from "../operations/copy.ts"
import { migrateSchema } from "../operations/migrate.ts"
import { COMMON, defineCommand, JSON_OPTION } from "./_command.ts"
import { noteThisMachine } from "./_gateway.ts"
import { withDatabase } from "./_open.ts"
import { print, printJson, printMessage } from "./_print.ts"
import { createProgress } from "./_progress.ts"
import { withThousands } from "./_text.ts"

export default defineCommand({
  meta: {
    name: "migrate",
    description: "apply schema.sql to the configured database; --to copies an embedded one into a PostgreSQL",
  },
  args: {
    to: {
      type: "string",
      valueHint: "URL",
      description: "copy everything in the embedded database into this PostgreSQL; safe to repeat",
    },
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: [
    "majordomo-gateway migrate",
    "DATABASE_URL=postgres://me@db/majordomo majordomo-gateway migrate",
    "majordomo-gateway migrate --to postgres://me@db/majordomo",
  ],
  async run({ args }) {
    noteThisMachine(args)
    if (args.to !== undefined) return copy(args.to, args)
    const migrateAndPrint = async (context: Parameters<typeof migrateSchema>[0]) => {
      const result = await migrateSchema(context)
      if (args.json) printJson(result)
      else print(`${describe(result)} (${result.database})`)
    }
    await withDatabase(args.config, migrateAndPrint, { mayCreate: true })
  },
})

async function copy(url: string, args: { readonly config?: string; readonly json?: boolean }): Promise<void> {
  const to = parseTarget(url)
  await withDatabase(args.config, async (context) => {
    const progress = createProgress("requests")
    const copying = copyToPostgres({ ...context, onProgress: progress.update }, { to })
    const result = await copying.finally(progress.end)
    if (result.sums_left_out !== null) {
      printMessage(`warning: totals of pruned days were not copied: ${result.sums_left_out}`)
    }
    if (args.json) printJson(result)
    else print(describeCopy(result))
  })
}

function describeCopy({ keys, requests, added }: CopyResult): string {
  const before = requests - added
  const known = before === 0 ? "" : ` (${withThousands(before)} were there already)`
  return `Copied ${withThousands(added)} of ${withThousands(requests)} requests${known} and ${withThousands(keys)} keys.
Point storage.postgres.url at it, restart the gateway, and repeat this once for what came in between.`
}

function describe({ did, rows_kept, newer_version }: Awaited<ReturnType<typeof migrateSchema>>): string {
  if (newer_version !== undefined) {
    return `The schema is newer than this program (version ${newer_version}), and compatible: it was left as it is`
  }
  if (did === "nothing") return "The schema is up to date: nothing to do"
  if (did === "upgraded from the Go gateway") {
    return `The schema of the Go gateway was upgraded, and its ${withThousands(rows_kept)} requests were kept`
  }
  return did === "created" ? "The schema was created" : "The schema was brought up to date"
}
