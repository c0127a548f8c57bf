import { CommandError } from "../core/errors.ts"
import { type Copied, copyDatabase } from "../database/copy.ts"
import { isPostgres, openPostgres } from "../database/open.ts"
import { type Migration, migrate } from "../database/schema.ts"
import { COMMON, defineCommand, JSON_OPTION } from "./_command.ts"
import { withDatabase } from "./_open.ts"
import { print, printJson, say } from "./_print.ts"
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
      description: "copy everything of the embedded database into this PostgreSQL; safe to repeat",
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
    if (args.to !== undefined) return copyTo(args.to, args)
    await withDatabase(args.config, async (database) => {
      const migration = await migrate(database, say)
      if (args.json) printJson({ database: database.title, did: migration.did, rows_kept: migration.rowsKept })
      else print(`${describe(migration)} (${database.title})`)
    })
  },
})

async function copyTo(url: string, args: { readonly config?: string; readonly json?: boolean }): Promise<void> {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new CommandError("--to: expected postgres://USER:PASSWORD@HOST:PORT/DATABASE", 2)
  }
  await withDatabase(args.config, async (source, { storage }) => {
    if (isPostgres(storage)) {
      throw new CommandError("--to copies the embedded database, and a PostgreSQL is configured: use pg_dump for that")
    }
    const target = await openPostgres({ ...storage.postgres, url, isSet: true })
    const progress = createProgress("requests")
    try {
      const copied = await copyDatabase(source, target, progress.update)
      progress.end()
      if (copied.sumsLeftOut) say(`warning: totals of pruned days were not copied: ${copied.sumsLeftOut}`)
      if (args.json) printJson(toObject(copied))
      else print(toText(copied))
    } finally {
      progress.end()
      await target.close()
    }
  })
}

function toObject({ keys, requests, added, repricings, sumsLeftOut }: Copied): Record<string, unknown> {
  return { keys, requests, added, repricings, sums_left_out: sumsLeftOut ?? null }
}

function toText({ keys, requests, added }: Copied): string {
  const there = requests - added
  const known = there === 0 ? "" : ` (${withThousands(there)} were there already)`
  return `Copied ${withThousands(added)} of ${withThousands(requests)} requests${known} and ${withThousands(keys)} keys.
Point storage.postgres.url at it, restart the gateway, and repeat this once for what came in between.`
}

function describe({ did, rowsKept, newerVersion }: Migration): string {
  if (newerVersion !== undefined) {
    return `The schema is newer than this program (version ${newerVersion}), and compatible: it was left as it is`
  }
  if (did === "nothing") return "The schema is up to date: nothing to do"
  if (did === "upgraded from the Go gateway") {
    return `The schema of the Go gateway was upgraded, and its ${withThousands(rowsKept)} requests were kept`
  }
  return did === "created" ? "The schema was created" : "The schema was brought up to date"
}
