import { type ExportRow, exportBodies } from "../../bodies/export.ts"
import type { Database } from "../../database/_database.ts"
import { readSlowly } from "../../database/slow-read.ts"
import { askBodies, type BodyCursor, type BodyQuestion, countBodies } from "../../reports/index.ts"
import type { Context } from "../context.ts"

/** Rows are read together with the bodies that the database holds: up to some MB at once. */
const PAGE_ROWS = 64

interface Export {
  /** Requests of the question that have bodies somewhere. */
  readonly total: number
  /** One line of JSON per request, oldest first, its newline included. */
  readonly lines: AsyncIterable<string>
}

/**
 * Exports requests with their bodies. Neither memory nor the database holds more than a page of them.
 *
 * @param onMissing takes the reason for each request that is left out because its bodies cannot be read
 */
export async function exportRequests(
  { database, bodies, onMissing }: Context<"database" | "bodies"> & { onMissing(reason: string): void },
  question: BodyQuestion,
): Promise<Export> {
  const { rows } = await readSlowly<{ requests: number }>(database, countBodies(question))
  const lines = exportBodies(readPages(database, question), bodies, (_id, reason) => onMissing(reason))
  return { total: rows[0]!.requests, lines }
}

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
