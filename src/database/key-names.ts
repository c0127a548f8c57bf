import type { Database } from "./_database.ts"

/** Returns the names of those keys that exist. */
export async function listKeyNames(
  db: Pick<Database, "query">,
  ids: readonly string[],
): Promise<readonly { readonly id: string; readonly name: string }[]> {
  const { rows } = await db.query<{ id: string; name: string }>({
    text: "SELECT id::text, name FROM api_keys WHERE id = ANY ($1::uuid[])",
    values: [ids],
  })
  return rows
}
