import type { Caller } from "../core/call.ts"
import type { Database } from "./_database.ts"
import { CALLER_COLUMNS, type CallerRow, toCaller } from "./caller.ts"

/** The time between two statements: at most 100 statements a second, however many keys are looked up. */
const INTERVAL_MS = 10
const LOOKUP_TIMEOUT_MS = 2_000

/**
 * Looks keys up in the database by their hashes. A single look-up runs at once; look-ups that follow it closely share one
 * statement. A flood of guessed keys therefore costs the database a few statements, not one for each key, and a valid key
 * that is not cached waits a few milliseconds longer.
 */
export function createKeyLookups(db: Database): (hash: string) => Promise<Caller | undefined> {
  let next: { readonly hashes: string[]; readonly callers: Promise<ReadonlyMap<string, Caller>> } | undefined
  let freeAt = Number.NEGATIVE_INFINITY

  async function lookUpSoon(hashes: readonly string[]): Promise<ReadonlyMap<string, Caller>> {
    const waitMs = freeAt - performance.now()
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
    else await undefined
    next = undefined
    freeAt = performance.now() + INTERVAL_MS
    return findCallers(db, hashes)
  }

  return async (hash) => {
    if (next === undefined) {
      const hashes: string[] = []
      next = { hashes, callers: lookUpSoon(hashes) }
    }
    const { hashes, callers } = next
    hashes.push(hash)
    return (await callers).get(hash)
  }
}

/** Returns the caller whose key has this hash, if the key is active. */
export async function findCaller(db: Database, keyHash: string): Promise<Caller | undefined> {
  return (await findCallers(db, [keyHash])).get(keyHash)
}

/**
 * Returns the callers by the hashes of their keys. Hashes without an active key are left out. A secret that was replaced is
 * still found, with the time at which it ends: the gateway's clock decides, so that it ends on time without the database.
 */
async function findCallers(db: Database, keyHashes: readonly string[]): Promise<ReadonlyMap<string, Caller>> {
  const { rows } = await db.query<CallerRow & { readonly hash: string }>({
    text: `SELECT key_hash AS hash, NULL::float8 AS secret_ends_s, ${CALLER_COLUMNS}
        FROM api_keys k WHERE key_hash = ANY ($1) AND is_active AND revoked_at IS NULL
      UNION ALL SELECT hash, secret_ends_s, ${CALLER_COLUMNS} FROM ${REPLACED}`,
    values: [keyHashes],
    timeoutMs: LOOKUP_TIMEOUT_MS,
  })
  return new Map(rows.map((row) => [row.hash, toCaller(row)]))
}

/** The keys whose replaced secrets are asked for. In a schema that lacks these columns, their names mean those of `missing`. */
const REPLACED = `(SELECT NULL::text AS previous_key_hash, NULL::timestamptz AS previous_key_until) AS missing,
  LATERAL (SELECT *, previous_key_hash AS hash, extract(epoch FROM previous_key_until)::float8 AS secret_ends_s FROM api_keys
    WHERE previous_key_hash = ANY ($1) AND previous_key_until IS NOT NULL AND is_active AND revoked_at IS NULL) AS k`
