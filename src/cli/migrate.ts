import { type Migration, migrate } from "../database/schema.ts"
import { COMMON, defineCommand, JSON_OPTION } from "./_command.ts"
import { withDatabase } from "./_open.ts"
import { print, printJson, say } from "./_print.ts"
import { withThousands } from "./_text.ts"

export default defineCommand({
  meta: {
    name: "migrate",
    description: "apply schema.sql to the configured database; safe to repeat",
  },
  args: { ...JSON_OPTION, ...COMMON },
  examples: ["majordomo-gateway migrate", "DATABASE_URL=postgres://me@db/majordomo majordomo-gateway migrate"],
  async run({ args }) {
    await withDatabase(args.config, async (database) => {
      const migration = await migrate(database, say)
      if (args.json) printJson({ database: database.title, did: migration.did, rows_kept: migration.rowsKept })
      else print(`${describe(migration)} (${database.title})`)
    })
  },
})

function describe({ did, rowsKept }: Migration): string {
  if (did === "nothing") return "The schema is up to date: nothing to do"
  if (did === "upgraded from the Go gateway") {
    return `The schema of the Go gateway was upgraded, and its ${withThousands(rowsKept)} requests were kept`
  }
  return did === "created" ? "The schema was created" : "The schema was brought up to date"
}
