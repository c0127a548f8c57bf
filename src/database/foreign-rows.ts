import { CommandError } from "../core/errors.ts"
import type { Database } from "./_database.ts"
import { toErrorCode } from "./failures.ts"
import { openForeignPostgres } from "./open.ts"

/** A table of another product in which requests are. */
interface ForeignTable {
  readonly title: string
  readonly table: string
  /** The columns by which pages are read, and their types. They have an index. */
  readonly order: readonly [time: string, id: string]
  readonly types: readonly [time: string, id: string]
  /** Columns that are large, and that no import reads. */
  readonly without: readonly string[]
}

const TABLES = {
  litellm: {
    title: "LiteLLM",
    table: '"LiteLLM_SpendLogs"',
    order: ['"startTime"', "request_id"],
    types: ["timestamp", "text"],
    without: ["messages", "response", "proxy_server_request", "api_key", "cache_key"],
  },
  go: {
    title: "the Go gateway",
    table: "llm_requests",
    order: ["requested_at", "id"],
    types: ["timestamptz", "uuid"],
    without: ["request_body", "response_body", "indexed_metadata", "provider_api_key_hash"],
  },
} satisfies Record<string, ForeignTable>

/** Returns whether the requests of a product can be read from its database. */
export function hasForeignRows(name: string): name is keyof typeof TABLES {
  return Object.hasOwn(TABLES, name)
}

const ROWS_PER_PAGE = 1000
const PAGE_TIMEOUT_MS = 120_000

/** Reads all rows of a table in the order of time, page by page, as lines of JSON. */
export async function* readForeignRows(name: keyof typeof TABLES, url: string): AsyncGenerator<Uint8Array> {
  const table: ForeignTable = TABLES[name]
  const database = await openForeignPostgres(url)
  try {
    for (let after: readonly [string, string] | undefined; ; ) {
      const rows = await readPage(database, table, after)
      const last = rows.at(-1)
      if (last === undefined) return
      yield Buffer.from(rows.map(({ line }) => `${line}\n`).join(""))
      after = [last.time, last.id]
    }
  } finally {
    await database.close()
  }
}

interface PageRow {
  readonly line: string
  readonly time: string
  readonly id: string
}

async function readPage(
  database: Database,
  { title, table, order, types, without }: ForeignTable,
  after: readonly [string, string] | undefined,
): Promise<readonly PageRow[]> {
  const [time, id] = order
  const condition = after === undefined ? "" : `WHERE (${time}, ${id}) > ($2::${types[0]}, $3::${types[1]})`
  try {
    const { rows } = await database.query<PageRow>({
      text: `SELECT (to_jsonb(t) - $1::text[])::text AS line, ${time}::text AS time, ${id}::text AS id
        FROM ${table} t ${condition} ORDER BY ${time}, ${id} LIMIT ${ROWS_PER_PAGE}`,
      values: [without, ...(after ?? [])],
      timeoutMs: PAGE_TIMEOUT_MS,
    })
    return rows
  } catch (error) {
    if (toErrorCode(error) !== "42P01") throw error
    throw new CommandError(`the database has no table ${table}: --from is the address of the database of ${title}`)
  }
}
