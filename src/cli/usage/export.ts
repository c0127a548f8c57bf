import { type ExportRow, exportBodies } from "../../bodies/export.ts"
import { createBodyReader } from "../../bodies/read.ts"
import type { Database } from "../../database/_database.ts"
import { readSlowly } from "../../database/slow-read.ts"
import { askBodies, type BodyCursor, type BodyQuestion, countBodies } from "../../reports/index.ts"
import { COMMON, defineCommand } from "../_command.ts"
import { withDatabase } from "../_open.ts"
import { printPiece, say } from "../_print.ts"
import { withThousands } from "../_text.ts"
import { FILTER_OPTIONS, toFilters, toPeriod } from "./_question.ts"

const PROGRESS_MS = 1000
/** Rows are read with the bodies that the database holds: up to some MB at once. */
const PAGE_ROWS = 64
const MAX_SAID = 10

export default defineCommand({
  meta: { name: "export", description: "requests with their bodies, one JSON object per line, oldest first" },
  args: {
    bodies: { type: "boolean", required: true, description: "the bodies, from wherever they are" },
    ...FILTER_OPTIONS,
    ...COMMON,
  },
  examples: [
    "majordomo-gateway usage export --bodies --model gpt-4o* --status success --since 30d > training.jsonl",
    "majordomo-gateway usage export --bodies --where Feature=search | jq -c '{messages: .request.messages}'",
  ],
  async run({ args, rawArgs }) {
    const question = { filters: toFilters(args, rawArgs), period: toPeriod(args, Date.now(), "1970-01-01") }
    await withDatabase(args.config, async (database, settings) => {
      const reader = createBodyReader(settings.s3)
      try {
        await exportAll(database, question, reader)
      } finally {
        await reader.close()
      }
    })
  },
})

async function exportAll(
  database: Database,
  question: BodyQuestion,
  reader: ReturnType<typeof createBodyReader>,
): Promise<void> {
  const { rows } = await readSlowly<{ requests: number }>(database, countBodies(question))
  const total = withThousands(rows[0]!.requests)
  let exported = 0
  let missing = 0
  let saidAt = Date.now()
  const onMissing = (_id: string, reason: string) => {
    missing++
    if (missing <= MAX_SAID) say(`left out: ${reason}`)
    if (missing === MAX_SAID) say("further ones are counted, and not named")
  }
  for await (const line of exportBodies(readPages(database, question), reader, onMissing)) {
    await printPiece(line)
    exported++
    if (Date.now() - saidAt < PROGRESS_MS) continue
    saidAt = Date.now()
    say(`${withThousands(exported)} of ${total} requests exported`)
  }
  const rest = missing === 0 ? "" : `; ${withThousands(missing)} left out, for their bodies cannot be read`
  say(`${withThousands(exported)} ${exported === 1 ? "request" : "requests"} exported${rest}`)
}

/** All rows of the question, in pages: neither memory nor the database holds more than one. */
async function* readPages(database: Database, question: BodyQuestion): AsyncGenerator<ExportRow> {
  let after: BodyCursor | undefined
  for (;;) {
    const page = askBodies(question, { after, limit: PAGE_ROWS })
    const { rows } = await readSlowly<ExportRow & BodyCursor>(database, page)
    yield* rows
    after = rows.at(-1)
    if (rows.length < PAGE_ROWS) return
  }
}
