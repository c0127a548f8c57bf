import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Database } from "../../src/database/_database.ts"
import { joinEmbedded, openEmbedded } from "../../src/database/embedded.ts"
import { copyTemplate } from "./embedded-template.ts"

/** Lends embedded databases that have the schema and no rows, and reuses the engines of tests that have finished. */
export interface EmbeddedPool {
  lend(): Promise<Database>
  /** Call it before each test: what the previous test was lent is free from now on. */
  beginTest(): void
  /** Call it after each test: what is lent until the next test begins is kept until `endFile`. */
  endTest(): void
  /** Call it after the tests of a file: all that was lent is free from now on, and few engines stay for the next file. */
  endFile(): Promise<void>
  close(): Promise<void>
}

/** As many as most tests use at once. Each has hundreds of megabytes. */
const MAX_IDLE = 2

interface Engine {
  readonly dataDir: string
  readonly owner: Database
  readonly fresh: Contents
}

interface Loan {
  readonly engine: Engine
  readonly client: Database
}

/** Emptying a database takes about 30 ms of CPU time, and starting an engine 700 ms. */
export function createEmbeddedPool(): EmbeddedPool {
  const engines = new Set<Engine>()
  const kept: Loan[] = []
  const lent: Loan[] = []
  const returned: Loan[] = []
  let isTesting = false

  const takeReturned = async (): Promise<Engine | undefined> => {
    for (let loan = returned.pop(); loan !== undefined; loan = returned.pop()) {
      await loan.client.close()
      if (await empty(loan.engine)) return loan.engine
      await stop(loan.engine)
    }
    return undefined
  }
  const start = async (): Promise<Engine> => {
    const dataDir = mkdtempSync(join(tmpdir(), "mdm-data-"))
    copyTemplate(dataDir)
    const owner = await openEmbedded({ dataDir, role: "serve", log: () => {} })
    const engine = { dataDir, owner, fresh: await readContents(owner) }
    engines.add(engine)
    return engine
  }
  const stop = async (engine: Engine) => {
    engines.delete(engine)
    await engine.owner.close()
    rmSync(engine.dataDir, { recursive: true, force: true, maxRetries: 5 })
  }
  const endFile = async (maxIdle: number) => {
    returned.push(...lent.splice(0), ...kept.splice(0))
    for (const { engine, client } of returned.splice(maxIdle)) {
      await client.close()
      await stop(engine)
    }
  }
  return {
    async lend() {
      const engine = (await takeReturned()) ?? (await start())
      const client = await joinEmbedded(engine.dataDir)
      ;(isTesting ? lent : kept).push({ engine, client })
      return client
    },
    beginTest() {
      returned.push(...lent.splice(0))
      isTesting = true
    },
    endTest() {
      isTesting = false
    },
    endFile: () => endFile(MAX_IDLE),
    close: () => endFile(0),
  }
}

/** What a database has before a test uses it. */
interface Contents {
  /** Identifies the definitions of all objects. */
  readonly catalog: string
  /** The rows of each table as JSON (null: it has none), and the state of each sequence. */
  readonly data: Readonly<Record<string, string | null>>
}

const DEFINITIONS = [
  "pg_attrdef",
  "pg_attribute",
  "pg_authid",
  "pg_constraint",
  "pg_db_role_setting",
  "pg_index",
  "pg_namespace",
  "pg_proc",
  "pg_trigger",
  "pg_type",
]

/**
 * A changed definition is a new version of its row, with another xmin. The rows of pg_class change with the data as well, so
 * that their columns are compared.
 */
const CATALOG = `SELECT md5(string_agg(version, ' ' ORDER BY version)) AS catalog FROM (
  ${DEFINITIONS.map((name) => `SELECT concat_ws(' ', '${name}', ctid, xmin) AS version FROM ${name}`).join(" UNION ALL ")}
  UNION ALL SELECT concat_ws(' ', oid, relname, relnamespace, relkind, relowner, relacl, reloptions) FROM pg_class) AS versions`

const RELATIONS = `SELECT oid::regclass::text AS name, relkind = 'S' AS "isSequence" FROM pg_class
  WHERE relkind IN ('r', 'S') AND relnamespace = 'public'::regnamespace ORDER BY oid`

async function readContents(database: Database): Promise<Contents> {
  const { rows: relations } = await database.query<{ name: string; isSequence: boolean }>(RELATIONS)
  const reads = relations.map(({ name, isSequence }) => toRead(name, isSequence ? "sequence" : "rows"))
  const { rows } = await database.query<{ name: string; data: string | null }>(reads.join(" UNION ALL "))
  const data = Object.fromEntries(rows.map(({ name, data }) => [name, data]))
  return { catalog: await readCatalog(database), data }
}

async function readCatalog(database: Database): Promise<string> {
  return (await database.query<{ catalog: string }>(CATALOG)).rows[0]!.catalog
}

const READS = {
  sequence: "(SELECT concat_ws(',', last_value, is_called) FROM NAME)",
  rows: "(SELECT jsonb_agg(r)::text FROM NAME r)",
  /** Reads one row of a table that should have none. */
  firstRow: "(SELECT 'some' FROM NAME LIMIT 1)",
}

function toRead(name: string, what: keyof typeof READS): string {
  return `SELECT '${name}' AS name, ${READS[what].replace("NAME", name)} AS data`
}

/** Gives a database the contents of a new one. Returns false if that is impossible, because a test has changed definitions. */
async function empty({ owner, fresh }: Engine): Promise<boolean> {
  if ((await readCatalog(owner)) !== fresh.catalog) return false
  const isSequence = (name: string) => /^\d+,[tf]$/.test(fresh.data[name] ?? "")
  const reads = Object.entries(fresh.data).map(([name, data]) =>
    toRead(name, data === null ? "firstRow" : isSequence(name) ? "sequence" : "rows"),
  )
  const { rows } = await owner.query<{ name: string; data: string | null }>(reads.join(" UNION ALL "))
  const changed = rows.filter(({ name, data }) => data !== fresh.data[name]).map(({ name }) => name)
  const tables = changed.filter((name) => !isSequence(name))
  const filled = Object.keys(fresh.data).filter((name) => fresh.data[name] !== null && !isSequence(name))
  await owner.transaction(async (query) => {
    await query("SELECT pg_advisory_unlock_all()")
    // Triggers would count what is removed.
    await query("SET LOCAL session_replication_role = replica")
    if (tables.length > 0) {
      // CASCADE reaches tables with foreign keys, so that all rows are inserted again.
      await query(`TRUNCATE ${[...new Set([...tables, ...filled])].join(", ")} CASCADE`)
      for (const name of filled) {
        const text = `INSERT INTO ${name} SELECT * FROM jsonb_populate_recordset(NULL::${name}, $1)`
        await query({ text, values: [fresh.data[name]] })
      }
    }
    for (const name of changed.filter(isSequence)) {
      const [last, isCalled] = fresh.data[name]!.split(",")
      await query({ text: "SELECT setval($1, $2, $3)", values: [name, last, isCalled === "t"] })
    }
  })
  return true
}
