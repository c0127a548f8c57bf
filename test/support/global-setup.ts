import { readFileSync } from "node:fs"
import { createServer } from "node:net"
import pg from "pg"
import type { TestProject } from "vitest/node"
import { type PostgresServer, startPostgres } from "./_postgres-server.ts"
import type { SharedServer } from "./postgres.ts"

/** One PostgreSQL for the whole run. It starts when the first test file asks for a database and ends with the run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let server: PostgresServer | undefined
  let starting: Promise<SharedServer> | undefined
  const start = async (): Promise<SharedServer> => {
    server = await startPostgres()
    const template = "majordomo_template"
    await runScript(server.url, `CREATE DATABASE ${template} TEMPLATE template0`)
    const inTemplate = new URL(server.url)
    inTemplate.pathname = `/${template}`
    await runScript(inTemplate.href, readFileSync(new URL("../../schema.sql", import.meta.url), "utf8"))
    return { url: server.url, socketDir: server.socketDir, template }
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

async function runScript(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
