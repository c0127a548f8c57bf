import { WRITTEN_COLUMNS } from "../../core/row-columns.ts"
import { createTable } from "../../core/table.ts"
import type { RunQuery } from "../_database.ts"
import { toHashId } from "./cards/store.ts"

const definitions = WRITTEN_COLUMNS.map(([name, { sql }]) => `${name} ${sql}`).join(", ")

/** A row with a card has these members in place of its certificate and its usage (`cards/`). */
const CARD_MEMBERS =
  "card bigint, card_values text, card_price text, card_usage text, card_quantities integer[], card_units numeric[]"

const KNOWN_CARD = `SELECT c.id FROM llm_cards c WHERE c.id = given.card AND c.price = given.card_price
  AND c.usage IS NOT DISTINCT FROM given.card_usage AND c.quantities = given.card_quantities AND c.units = given.card_units`

const KNOWN_HASH = `SELECT h.id FROM llm_credential_hashes h WHERE h.hash = given.provider_api_key_hash
  AND h.id = CASE WHEN given.provider_api_key_hash ~ '^[0-9a-f]{16}' THEN ${toHashId("given.provider_api_key_hash")} END`

/** A row whose card the database lacks, or has with another content, is stored whole. */
const orWhole = (whole: string, template: string, amounts: string) =>
  `CASE WHEN card IS NULL THEN ${whole} WHEN known_card IS NULL THEN majordomo_fill(${template}, card_values, ${amounts}) END`

/** The columns that are not stored as the JSON of a row has them. */
const CARD_COLUMNS = createTable({
  price: orWhole("price", "card_price", "card_quantities, card_units"),
  usage: orWhole("usage", "card_usage", "'{}', '{}'"),
  provider_api_key_hash: "CASE WHEN known_hash IS NULL THEN provider_api_key_hash END",
  card: "known_card",
  card_values: "CASE WHEN known_card IS NOT NULL THEN card_values END",
  provider_api_key_hash_id: "known_hash",
})

const columns = [...new Set([...WRITTEN_COLUMNS.map(([name]) => name), ...Object.keys(CARD_COLUMNS)])]
const names = columns.join(", ")

/** The rows of a JSON array, `$1`, as they are stored. OFFSET 0 keeps the look-ups from being repeated for each column. */
const ROWS = `(SELECT ${columns.map((name) => (CARD_COLUMNS[name] === undefined ? name : `${CARD_COLUMNS[name]} AS ${name}`)).join(", ")}
  FROM (SELECT *, (${KNOWN_CARD}) AS known_card, (${KNOWN_HASH}) AS known_hash
    FROM json_to_recordset($1::json) AS given(${definitions}, ${CARD_MEMBERS}) OFFSET 0) AS given) AS row`

/** The metadata names that are active for all keys, read once for a statement and not once for each of its rows. */
const ACTIVE_NAMES = "active AS MATERIALIZED (SELECT name AS key_name FROM llm_usage_metadata_names WHERE every_key)"

/**
 * The active names of a row with their values, as the trigger `majordomo_index_metadata` finds them for rows of other
 * programs. The trigger costs 25 us per row, and does not run for a row that has a value here: `{}` if none is active.
 */
const INDEXED_METADATA = `CASE WHEN raw_metadata IS NOT NULL THEN coalesce((
  SELECT jsonb_object_agg(key_name, raw_metadata -> key_name) FROM (
    SELECT k.key_name FROM llm_requests_metadata_keys k WHERE k.majordomo_api_key_id = row.majordomo_api_key_id AND k.is_active
    UNION ALL SELECT key_name FROM active) AS names
  WHERE raw_metadata ? key_name), '{}') END`

const INSERT = `INSERT INTO llm_requests (${names}, indexed_metadata)
  SELECT ${names}, ${INDEXED_METADATA} FROM ${ROWS} ON CONFLICT (id) DO NOTHING`

/**
 * Inserts a JSON array of rows, `$1`, each exactly once however often it is sent. The triggers of the schema keep the
 * rollups and counters for the rows that are new.
 */
export const INSERT_ROWS = `WITH ${ACTIVE_NAMES} ${INSERT}`

const assignments = columns.filter((name) => name !== "id").map((name) => `${name} = row.${name}`)

/**
 * Replaces rows that say `gateway_died` by those of the JSON array, `$1`. A copy of a data directory that is opened while
 * its gateway still runs writes such a row for each request in progress, before the row of the request itself arrives.
 */
const REPLACE_DIED = `UPDATE llm_requests r SET ${assignments.join(", ")} FROM ${ROWS}
  WHERE r.id = row.id AND r.outcome = 'gateway_died' AND row.outcome <> 'gateway_died'`

/** A mark tells how far a journal, or the memory beside it, is written. The database records it together with the rows. */
export interface Mark {
  readonly of: "journal" | "memory"
  /** The id of the journal, and the last row (`replay.ts`) or the position in the memory (`sent-rows.ts`). */
  readonly values: readonly [journal: string, last: string]
}

/** The statement that stores a mark, `$1` and `$2`. */
export const MARKS = {
  journal: `INSERT INTO majordomo_journals (journal, last_row) VALUES ($1, $2)
    ON CONFLICT (journal) DO UPDATE SET last_row = excluded.last_row, written_at = now()`,
  // A journal of which only the memory was written has no last row yet.
  memory: `INSERT INTO majordomo_journals AS j (journal, last_row, from_memory) VALUES ($1, '00000000-0000-0000-0000-000000000000', $2)
    ON CONFLICT (journal) DO UPDATE SET from_memory = greatest(j.from_memory, excluded.from_memory), written_at = now()`,
} satisfies Record<Mark["of"], string>

/** The statement that inserts rows, `$1`, and stores a mark, `$2` and `$3`. */
const INSERT_MARKED_ROWS = {
  journal: withInsert(MARKS.journal),
  memory: withInsert(MARKS.memory),
} satisfies Record<Mark["of"], string>

function withInsert(mark: string): string {
  return `WITH mark AS (${mark.replace("$2", "$3").replace("$1", "$2")}), ${ACTIVE_NAMES} ${INSERT}`
}

interface InsertOptions {
  /** The number of rows in the array. */
  readonly count: number
  readonly mark?: Mark | undefined
  readonly timeoutMs?: number
}

/** Inserts the rows of a JSON array. With a mark, it records in the same statement how far their journal is written. */
export async function insertRows(
  query: RunQuery,
  array: Buffer | string,
  { count, mark, ...limit }: InsertOptions,
): Promise<void> {
  const insert = mark
    ? { text: INSERT_MARKED_ROWS[mark.of], values: [array, ...mark.values] }
    : { text: INSERT_ROWS, values: [array] }
  const { rowCount } = await query({ ...insert, ...limit })
  if (rowCount < count) await query({ text: REPLACE_DIED, values: [array], ...limit })
}
