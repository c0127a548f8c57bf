import type { RunQuery } from "../_database.ts"
import { type JournalItem, readJournals, type UnreadableFile } from "../ledger/read.ts"
import { TIMEOUT_MS } from "./periods.ts"

const IDS_PER_QUERY = 5000

/** The contents of the journals, compared with the database. */
interface JournalCounts {
  readonly waiting: number
  /** Dropped rows that no gap row of the database counts yet. */
  readonly dropped: number
  readonly rejected: number
  readonly lost: number
  /** Requests that are running, or whose process died. */
  readonly begun: number
  readonly unreadable: readonly UnreadableFile[]
}

/**
 * Reads the journals and returns a function that compares them with the database. They must be read before the snapshot of
 * the database is taken, so that rows that are written in the meantime are found in it.
 */
export async function openJournals(root: string): Promise<(query: RunQuery) => Promise<JournalCounts>> {
  const { waiting, waitingItems, acknowledged, acknowledgedItems, rejected, open, ...counters } =
    await readJournals(root)
  const rejectedIds = new Set(rejected)
  return async (query) => {
    const { rows } = await query<{ before: number | null }>(
      "SELECT extract(epoch FROM pruned_before)::float8 * 1000 AS before FROM majordomo_schema",
    )
    const prunedBefore = rows[0]?.before ?? Number.NEGATIVE_INFINITY
    // A row that was pruned is still in the journal's last segment.
    const expected = acknowledged.filter(({ id, endedAt }) => !rejectedIds.has(id) && !(endedAt < prunedBefore))
    const expectedIds = expected.map(({ id }) => id)
    const expectedItems = acknowledgedItems.filter(({ id }) => !rejectedIds.has(id))
    return {
      waiting:
        counters.inMemory + (await countMissing(query, waiting)) + (await countMissingItems(query, waitingItems)),
      dropped: counters.dropped,
      rejected: rejected.length,
      lost: (await countMissing(query, expectedIds)) + (await countMissingItems(query, expectedItems)),
      begun: open,
      unreadable: counters.unreadable,
    }
  }
}

async function countMissing(query: RunQuery, ids: readonly string[]): Promise<number> {
  let missing = 0
  for (let from = 0; from < ids.length; from += IDS_PER_QUERY) {
    const { rows } = await query<{ missing: number }>({
      text: `SELECT count(*)::int AS missing FROM unnest($1::uuid[]) AS given(id)
        WHERE NOT EXISTS (SELECT FROM llm_requests r WHERE r.id = given.id)`,
      values: [ids.slice(from, from + IDS_PER_QUERY)],
      timeoutMs: TIMEOUT_MS,
    })
    missing += rows[0]!.missing
  }
  return missing
}

/** An item of a job that was delivered twice has one row, or none while its job is not known. */
async function countMissingItems(query: RunQuery, items: readonly JournalItem[]): Promise<number> {
  let missing = 0
  for (let from = 0; from < items.length; from += IDS_PER_QUERY) {
    const { rows } = await query<{ missing: number }>({
      text: `SELECT count(*)::int AS missing
        FROM json_to_recordset($1::json) AS given(provider text, source text, item text)
        WHERE NOT EXISTS (SELECT FROM llm_job_items i
          WHERE (i.provider, i.source, i.item) = (given.provider, given.source, given.item))`,
      values: [JSON.stringify(items.slice(from, from + IDS_PER_QUERY))],
      timeoutMs: TIMEOUT_MS,
    })
    missing += rows[0]!.missing
  }
  return missing
}
