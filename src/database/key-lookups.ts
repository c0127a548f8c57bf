import type { Caller } from "../core/call.ts"
import { toDiscountFactor } from "../core/own-prices.ts"
import type { Database } from "./_database.ts"
import { type KeyMetadataRow, toKeyMetadata } from "./key-metadata.ts"

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

/** Returns the callers by the hashes of their keys. Hashes without an active key are left out. */
async function findCallers(db: Database, keyHashes: readonly string[]): Promise<ReadonlyMap<string, Caller>> {
  const { rows } = await db.query<KeyMetadataRow & { id: string; key_hash: string; percent: string | null }>({
    // to_jsonb also reads a schema that has not been migrated yet, which lacks columns. Its keys are valid as well.
    text: `SELECT id, key_hash, j ->> 'discount_percent' AS percent, nullif(j -> 'default_metadata', 'null') AS default_metadata,
        nullif(j -> 'locked_metadata', 'null') AS locked_metadata, nullif(j -> 'required_metadata', 'null') AS required_metadata
      FROM api_keys k CROSS JOIN LATERAL to_jsonb(k) AS j
      WHERE key_hash = ANY ($1) AND is_active AND revoked_at IS NULL`,
    values: [keyHashes],
    timeoutMs: LOOKUP_TIMEOUT_MS,
  })
  return new Map(
    rows.map((row) => [
      row.key_hash,
      {
        keyId: row.id,
        discountFactor: row.percent === null ? undefined : toDiscountFactor(row.percent),
        metadata: toKeyMetadata(row),
      },
    ]),
  )
}
