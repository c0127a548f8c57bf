import { DuckDBInstance } from "@duckdb/node-api"

/** Runs a statement in a new DuckDB. Dates, times, amounts and counts are text. */
export async function askDuckDb(sql: string): Promise<readonly Record<string, string | null>[]> {
  const instance = await DuckDBInstance.create(":memory:")
  const connection = await instance.connect()
  try {
    await connection.run("SET TimeZone = 'UTC'")
    const answer = await connection.runAndReadAll(sql)
    return answer
      .getRowObjects()
      .map((row) =>
        Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value === null ? null : String(value)])),
      )
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}
