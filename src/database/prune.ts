import type { Database } from "./_database.ts"
import type { OnProgress } from "./backfill.ts"

export interface PruneChoice {
  /** Requests that ended before this moment (ms since the epoch), cut down to a midnight of UTC: sums are by day. */
  readonly olderThan: number
  /** Their bodies alone. */
  readonly bodiesOnly: boolean
}

const ROWS_PER_CHUNK = 10_000
const BODIES_PER_CHUNK = 1_000
const CHUNK_TIMEOUT_MS = 10 * 60_000
const DAY_MS = 86_400_000

/** The moment before which a choice prunes. */
export function toPruneDate({ olderThan }: PruneChoice): Date {
  return new Date(Math.floor(olderThan / DAY_MS) * DAY_MS)
}

/** How many requests a choice would prune. */
export async function countPrunable(db: Database, choice: PruneChoice): Promise<number> {
  const { rows } = await db.query<{ count: string }>({
    text: `SELECT count(*) FROM llm_requests WHERE created_at < $1${choice.bodiesOnly ? HAS_BODY : ""}`,
    values: [toPruneDate(choice)],
    timeoutMs: CHUNK_TIMEOUT_MS,
  })
  return Number(rows[0]!.count)
}

/** Of how many requests before that moment the bodies are in S3, where no pruning reaches them. */
export async function countBodiesInS3(db: Database, choice: PruneChoice): Promise<number> {
  const { rows } = await db.query<{ count: string }>({
    text: "SELECT count(*) FROM llm_requests WHERE created_at < $1 AND s3_key IS NOT NULL",
    values: [toPruneDate(choice)],
    timeoutMs: CHUNK_TIMEOUT_MS,
  })
  return Number(rows[0]!.count)
}

/**
 * Deletes old requests, or empties their bodies, in chunks that are committed one by one: what was interrupted goes on
 * the next time. The sums stay, so old totals do. Resolves with the number of requests.
 */
export async function prune(db: Database, choice: PruneChoice, onProgress: OnProgress = () => {}): Promise<number> {
  const before = toPruneDate(choice)
  const total = await countPrunable(db, choice)
  onProgress(0, total)
  // Said before the first row goes: reports take from then on what is older from the sums alone.
  if (!choice.bodiesOnly && total > 0) {
    await db.query({
      text: "UPDATE majordomo_schema SET pruned_before = $1 WHERE pruned_before IS NULL OR pruned_before < $1",
      values: [before],
    })
  }
  let done = 0
  for (let from: string | undefined = "-infinity"; from !== undefined; ) {
    const chunk: Chunk = await pruneChunk(db, choice.bodiesOnly, from, before)
    done += chunk.count
    from = chunk.last
    onProgress(done, Math.max(done, total))
  }
  return done
}

interface Chunk {
  readonly count: number
  /** When the last request of it ended; undefined: there are no more. */
  readonly last: string | undefined
}

const HAS_BODY = " AND (request_body IS NOT NULL OR response_body IS NOT NULL)"

function pruneChunk(db: Database, bodiesOnly: boolean, from: string, before: Date): Promise<Chunk> {
  const limit = bodiesOnly ? BODIES_PER_CHUNK : ROWS_PER_CHUNK
  // From the last chunk's end on: what was deleted stays in the index until it is vacuumed.
  const chosen = `ARRAY(SELECT id FROM llm_requests WHERE created_at >= $1::timestamptz AND created_at < $2${bodiesOnly ? HAS_BODY : ""} ORDER BY created_at LIMIT ${limit})`
  const change = bodiesOnly
    ? `UPDATE llm_requests SET request_body = NULL, response_body = NULL WHERE id = ANY (${chosen}) RETURNING created_at`
    : `DELETE FROM llm_requests WHERE id = ANY (${chosen}) RETURNING created_at`
  return db.transaction(async (query) => {
    await query("SELECT set_config('majordomo.same_sums', 'on', true)")
    const { rows } = await query<{ count: string; last: string | null }>({
      text: `WITH changed AS (${change}) SELECT count(*), max(created_at)::text AS last FROM changed`,
      values: [from, before],
      timeoutMs: CHUNK_TIMEOUT_MS,
    })
    return { count: Number(rows[0]!.count), last: rows[0]!.last ?? undefined }
  })
}
