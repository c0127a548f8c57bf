import { readFileSync } from "node:fs"
import { createServer } from "node:net"
import pg from "pg"
import type { TestProject } from "vitest/node"
import { type PostgresServer, startPostgres } from "./_postgres-server.ts"
import type { SharedServer } from "./postgres.ts"

/**
 * Hundreds of databases are created, used for a moment and never read again. Autovacuum would visit them all, ten each second.
 * Without archiving, a new database is copied file by file and not written to the WAL.
 */
const MANY_DATABASES = { autovacuum: "off", wal_level: "minimal", max_wal_senders: "0", max_wal_size: "4GB" }

/** One PostgreSQL for the whole run. It starts when the first test file asks for a database and ends with the run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let server: PostgresServer | undefined
  let starting: Promise<SharedServer> | undefined
  const start = async (): Promise<SharedServer> => {
    server = await startPostgres({ settings: MANY_DATABASES })
    const template = "majordomo_template"
    await runScript(server.url, `CREATE DATABASE ${template} TEMPLATE template0`)
    const inTemplate = new URL(server.url)
    inTemplate.pathname = `/${template}`
    await runScript(inTemplate.href, readFileSync(new URL("../../schema.sql", import.meta.url), "utf8"))
    const [shown] = await runScript(server.url, "SHOW server_version_num")
    // Older servers always copy the files.
    const strategy = Number(shown!["server_version_num"]) >= 150_000 ? "STRATEGY file_copy" : ""
    return { url: server.url, socketDir: server.socketDir, template, strategy }
  }
  const door = createServer(async (socket) => {
    socket.on("error", () => {})
    starting ??= start()
    socket.end(JSON.stringify(await starting.catch((error: unknown) => String(error))))
  })
  await new Promise<void>((resolve, reject) => {
    door.once("error", reject).listen(0, "127.0.0.1", resolve)
  })
  const address = door.address()
  if (address === null || typeof address === "string") throw new Error("the server for test databases has no port")
  project.provide("postgresDoor", address.port)
  return async () => {
    door.close()
    await starting?.catch(() => {})
    await server?.remove()
  }
}

async function runScript(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}
