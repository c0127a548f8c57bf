import type { Database } from "../_database.ts"
import { listColumns, readAll, write } from "./tables.ts"

/** The columns of an API key that its owner changes, or a rotation. If both sides have the key, the later change counts. */
const SETTINGS = [
  "name",
  "description",
  "discount_percent",
  "default_metadata",
  "locked_metadata",
  "required_metadata",
  "provider_keys",
  "expires_at",
  "allowed_models",
  "allowed_providers",
  "key_hash",
  "previous_key_hash",
  "previous_key_until",
]

function takeLater(name: string): string {
  return `${name} = CASE WHEN excluded.updated_at > k.updated_at THEN excluded.${name} ELSE k.${name} END`
}

/**
 * Copies the API keys with their hashes, so that clients can go on using them. A key that is revoked on either side is
 * revoked. Returns the number of keys.
 */
export async function copyKeys(source: Database, target: Database): Promise<number> {
  // Triggers count the requests that are copied next, so a new key begins at 0.
  const columns = await listColumns(source, "api_keys", ["request_count", "last_used_at"])
  return write(
    target,
    `INSERT INTO api_keys AS k (${columns}) SELECT ${columns} FROM json_populate_recordset(NULL::api_keys, $1::json)
      ON CONFLICT (id) DO UPDATE SET is_active = k.is_active AND excluded.is_active,
        revoked_at = coalesce(k.revoked_at, excluded.revoked_at),
        ${SETTINGS.map(takeLater).join(", ")},
        updated_at = greatest(k.updated_at, excluded.updated_at)`,
    [await readAll(source, "SELECT * FROM api_keys")],
  )
}

/**
 * Copies the provider keys as they are encrypted: the target's gateways need the same vault key. A key that is removed on
 * either side is removed, and the latest secret counts. A key whose name another one has in the target is left out.
 */
export async function copyProviderKeys(source: Database, target: Database): Promise<void> {
  const columns = await listColumns(source, "provider_api_keys")
  // Each provider has one default.
  const isDefault = `is_default AND NOT EXISTS (SELECT FROM provider_api_keys o
    WHERE o.id <> s.id AND o.provider = s.provider AND o.is_default AND o.removed_at IS NULL)`
  await write(
    target,
    `INSERT INTO provider_api_keys AS k (${columns})
      SELECT ${columns.replace("is_default", isDefault)} FROM json_populate_recordset(NULL::provider_api_keys, $1::json) AS s
      WHERE s.removed_at IS NOT NULL OR NOT EXISTS (SELECT FROM provider_api_keys o
        WHERE o.id <> s.id AND (o.provider, o.alias) = (s.provider, s.alias) AND o.removed_at IS NULL)
      ON CONFLICT (id) DO UPDATE SET ciphertext = excluded.ciphertext, nonce = excluded.nonce, key_id = excluded.key_id,
        kind = excluded.kind, last_four = excluded.last_four, rotated_at = excluded.rotated_at,
        removed_at = excluded.removed_at, is_default = k.is_default AND excluded.removed_at IS NULL
      WHERE k.removed_at IS NULL
        AND (excluded.removed_at IS NOT NULL OR excluded.rotated_at > coalesce(k.rotated_at, '-infinity'))`,
    [await readAll(source, "SELECT * FROM provider_api_keys")],
  )
}

/**
 * Copies the metadata names, before the requests: the triggers then index and count the requests by the active names.
 */
export async function copyMetadataNames(source: Database, target: Database): Promise<void> {
  const columns = await listColumns(source, "llm_requests_metadata_keys", ["request_count", "last_seen_at"])
  // Only the source knows which requests the totals of each name count. A target without requests has no totals to keep.
  await target.query("DELETE FROM llm_usage_metadata_names WHERE NOT EXISTS (SELECT FROM llm_requests)")
  await write(
    target,
    `INSERT INTO llm_usage_metadata_names SELECT * FROM json_populate_recordset(NULL::llm_usage_metadata_names, $1::json)
      ON CONFLICT DO NOTHING`,
    [
      await readAll(
        source,
        "SELECT name, every_key, summed, indexed, summed_since, indexed_since FROM llm_usage_metadata_names",
      ),
    ],
  )
  await write(
    target,
    `INSERT INTO llm_requests_metadata_keys AS m (${columns})
      SELECT ${columns} FROM json_populate_recordset(NULL::llm_requests_metadata_keys, $1::json)
      ON CONFLICT (majordomo_api_key_id, key_name) DO UPDATE
        SET is_active = m.is_active OR excluded.is_active, activated_at = coalesce(m.activated_at, excluded.activated_at)`,
    [await readAll(source, "SELECT * FROM llm_requests_metadata_keys")],
  )
}

/**
 * Raises the counters to those of the source, after the requests: the source also counted requests that it has pruned.
 */
export async function raiseCounters(source: Database, target: Database): Promise<void> {
  await write(
    target,
    `UPDATE api_keys k SET request_count = greatest(k.request_count, s.request_count), last_used_at = greatest(k.last_used_at, s.last_used_at)
      FROM json_populate_recordset(NULL::api_keys, $1::json) AS s
      WHERE s.id = k.id AND (s.request_count > k.request_count OR s.last_used_at > coalesce(k.last_used_at, '-infinity'))`,
    [await readAll(source, "SELECT * FROM api_keys")],
  )
  await write(
    target,
    `UPDATE llm_requests_metadata_keys m
      SET request_count = greatest(m.request_count, s.request_count), last_seen_at = greatest(m.last_seen_at, s.last_seen_at)
      FROM json_populate_recordset(NULL::llm_requests_metadata_keys, $1::json) AS s
      WHERE (s.majordomo_api_key_id, s.key_name) = (m.majordomo_api_key_id, m.key_name) AND s.request_count > m.request_count`,
    [await readAll(source, "SELECT * FROM llm_requests_metadata_keys")],
  )
}

/**
 * Reads which rows of the gateways' journals are in the source, and returns what copies that to the target. It is read
 * before the requests and copied after them, so that the target has all of those rows.
 */
export async function readJournalMarks(source: Database): Promise<(target: Database) => Promise<unknown>> {
  const marks = await readAll(source, "SELECT * FROM majordomo_journals")
  return (target) =>
    write(
      target,
      `INSERT INTO majordomo_journals AS j SELECT * FROM json_populate_recordset(NULL::majordomo_journals, $1::json)
        ON CONFLICT (journal) DO UPDATE SET last_row = excluded.last_row, written_at = excluded.written_at
        WHERE excluded.written_at > j.written_at`,
      [marks],
    )
}
