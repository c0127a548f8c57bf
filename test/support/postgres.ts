import { connect } from "node:net"
import { text } from "node:stream/consumers"
import pg from "pg"
import { inject } from "vitest"
import { created } from "./_created-databases.ts"

export { type PostgresServer, type PostgresServerOptions, startPostgres } from "./_postgres-server.ts"

declare module "vitest" {
  export interface ProvidedContext {
    /** The loopback port on which the run's global setup returns the URL of its PostgreSQL, which starts on the first request. */
    postgresDoor: number
  }
}

export interface TestDatabase {
  readonly url: string
  readonly name: string
  /** The directory of the server's Unix socket: `psql -h SOCKET_DIR -U postgres NAME`. */
  readonly socketDir: string
  /** Disconnects all clients and drops the database, which otherwise happens when the test file has ended. */
  drop(): Promise<void>
}

/**
 * Creates a database in the PostgreSQL of this test run, with the schema applied unless `empty`.
 * All test files share the server, so a test must not change the whole server. `startPostgres` is for that.
 */
export async function createTestDatabase({ empty = false } = {}): Promise<TestDatabase> {
  const server = await askForServer()
  const name = `t_${crypto.randomUUID().replaceAll("-", "")}`
  await runOnce(
    server.url,
    `CREATE DATABASE ${name} TEMPLATE ${empty ? "template0" : server.template} ${server.strategy}`,
  )
  names.push(name)
  created.drop ??= () => dropUnused(server.url)
  const url = new URL(server.url)
  url.pathname = `/${name}`
  const drop = () => runOnce(server.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  return { url: url.href, name, socketDir: server.socketDir, drop }
}

/** The databases of the current test file. */
const names: string[] = []

/** Drops them, except those to which something is still connected: the end of its connection could fail the run. */
async function dropUnused(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const unused = await client.query<{ name: string }>(
      `SELECT datname AS name FROM pg_database WHERE datname = ANY($1)
        AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE pg_stat_activity.datid = pg_database.oid)`,
      [names.splice(0)],
    )
    for (const { name } of unused.rows) await client.query(`DROP DATABASE IF EXISTS ${name}`)
  } finally {
    await client.end()
  }
}

/** What the global setup responds at `postgresDoor`. */
export interface SharedServer {
  readonly url: string
  readonly socketDir: string
  /** The database that contains the schema and nothing else. */
  readonly template: string
  /** How CREATE DATABASE copies fastest, as a clause of it. */
  readonly strategy: string
}

async function askForServer(): Promise<SharedServer> {
  const answer = JSON.parse(await text(connect(inject("postgresDoor"), "127.0.0.1"))) as SharedServer | string
  if (typeof answer === "string") throw new Error(`the PostgreSQL for the tests did not start: ${answer}`)
  return answer
}

async function runOnce(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
