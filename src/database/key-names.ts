import type { Database } from "./_database.ts"

/** Returns the names of API keys by their ids. Ids without a key are left out. */
export async function findKeyNames(db: Database, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  if (ids.length === 0) return new Map()
  const { rows } = await db.query<{ id: string; name: string }>({
    text: "SELECT id::text, name FROM api_keys WHERE id = ANY ($1::uuid[])",
    values: [ids],
  })
  return new Map(rows.map(({ id, name }) => [id, name]))
}
