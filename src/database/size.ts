import type { RunQuery } from "./_database.ts"

/** Returns how many bytes a database takes on its disk; undefined if its user may not know. */
export async function readDatabaseSize(query: RunQuery): Promise<number | undefined> {
  try {
    const { rows } = await query<{ bytes: string }>("SELECT pg_database_size(current_database())::text AS bytes")
    return Number(rows[0]!.bytes)
  } catch {
    return undefined
  }
}
