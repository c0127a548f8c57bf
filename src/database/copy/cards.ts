import type { Database } from "../_database.ts"
import { COPY_TIMEOUT_MS, readAll, write } from "./tables.ts"

/** The tables that rows refer to, each with the column of the row and its own columns. */
const TABLES = [
  { table: "llm_cards", of: "card", columns: ["price", "usage", "quantities", "units"] },
  { table: "llm_credential_hashes", of: "provider_api_key_hash_id", columns: ["hash"] },
] as const

/** Copies what rows refer to, each card once. */
export function createCardCopy(source: Database, target: Database) {
  const copied = TABLES.map(() => new Set<string>())

  return {
    /**
     * Copies what the rows after one id, up to another, refer to. Returns false if the target has something else under one
     * of these ids: then the rows have to be copied whole.
     */
    async copyFor(after: string, last: string): Promise<boolean> {
      for (const [i, { table, of, columns }] of TABLES.entries()) {
        const ids = (await findIds(source, of, after, last)).filter((id) => !copied[i]!.has(id))
        if (ids.length === 0) continue
        const rows = await readAll(source, `SELECT id, ${columns} FROM ${table} WHERE id = ANY ($1::bigint[])`, [ids])
        if (!(await add(target, { table, columns, rows }))) return false
        for (const id of ids) copied[i]!.add(id)
      }
      return true
    },
  }
}

async function findIds(source: Database, column: string, after: string, last: string): Promise<readonly string[]> {
  const { rows } = await source.query<{ id: string }>({
    text: `SELECT DISTINCT ${column} AS id FROM llm_requests WHERE id > $1 AND id <= $2 AND ${column} IS NOT NULL`,
    values: [after, last],
    timeoutMs: COPY_TIMEOUT_MS,
  })
  return rows.map(({ id }) => id)
}

interface Added {
  readonly table: string
  readonly columns: readonly string[]
  readonly rows: string
}

/** Adds rows that the target lacks. Returns whether it has all of them now. */
async function add(target: Database, { table, columns, rows }: Added): Promise<boolean> {
  const given = `json_populate_recordset(NULL::${table}, $1::json) AS s`
  await write(
    target,
    `INSERT INTO ${table} (id, ${columns}) SELECT id, ${columns} FROM ${given} ORDER BY id ON CONFLICT (id) DO NOTHING`,
    [rows],
  )
  const isSame = columns.map((name) => `t.${name} IS NOT DISTINCT FROM s.${name}`).join(" AND ")
  const others = await target.query({
    text: `SELECT FROM ${given} WHERE NOT EXISTS (SELECT FROM ${table} t WHERE t.id = s.id AND ${isSame})`,
    values: [rows],
    timeoutMs: COPY_TIMEOUT_MS,
  })
  return others.rowCount === 0
}
