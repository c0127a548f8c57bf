import { createServer } from "node:net"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { hashKey } from "../../src/core/key.ts"
import { explainServerError } from "../../src/database/failures.ts"
import { findCaller } from "../../src/database/key-lookups.ts"
import { createKey, listKeys } from "../../src/database/keys.ts"
import { openDatabase } from "../../src/database/open.ts"
import { migrate } from "../../src/database/schema.ts"
import { postgresAt } from "../support/databases.ts"
import { type PostgresServer, startPostgres } from "../support/postgres.ts"

const context = { role: "serve", log: () => {} } as const

describe("a database with unusual defaults", () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.remove())

  async function run(sql: string, database = "postgres"): Promise<pg.QueryResult> {
    const client = new pg.Client({ connectionString: urlOf(database) })
    await client.connect()
    try {
      return await client.query(sql)
    } finally {
      await client.end()
    }
  }

  function urlOf(database: string): string {
    const url = new URL(server.url)
    url.pathname = `/${database}`
    return url.href
  }

  async function create(options = ""): Promise<string> {
    const name = `odd_${crypto.randomUUID().replaceAll("-", "")}`
    await run(`CREATE DATABASE ${name} TEMPLATE template0 ${options}`)
    return name
  }

  async function open(name: string, more: Parameters<typeof postgresAt>[1] = {}) {
    const db = await openDatabase(postgresAt(urlOf(name), more), context)
    onTestFinished(() => db.close())
    return db
  }

  const DEFAULTS = [
    "datestyle = 'SQL, DMY'",
    "timezone = 'Asia/Kathmandu'",
    "intervalstyle = 'sql_standard'",
    "search_path = ''",
    "standard_conforming_strings = off",
    "extra_float_digits = 0",
    "default_transaction_isolation = 'serializable'",
    "lock_timeout = 1",
    "client_encoding = 'LATIN1'",
  ]
  test.each(DEFAULTS)("works if its default is %s", async (setting) => {
    const name = await create()
    await run(`ALTER DATABASE ${name} SET ${setting}`)
    const db = await open(name)
    await migrate(db)
    const { key, secret } = await createKey(db, { name: "naïve 価格" })
    expect(Math.abs(Date.parse(key.createdAt) - Date.now())).toBeLessThan(60_000)
    expect(await findCaller(db, hashKey(secret))).toEqual({ keyId: key.id, keyName: key.name })
    expect((await listKeys(db)).map((each) => each.name)).toEqual(["naïve 価格"])
    const { rows } = await db.query(
      "SELECT timestamptz '2026-03-01 00:00Z' AS at, to_regclass('public.api_keys')::text",
    )
    expect(rows).toEqual([{ at: new Date("2026-03-01T00:00:00Z"), to_regclass: "api_keys" }])
  })

  test("every connection sets its session, the one that listens too", async () => {
    const name = await create()
    for (const setting of DEFAULTS) await run(`ALTER DATABASE ${name} SET ${setting}`)
    const db = await open(name)
    const listener = await db.listen("c", { onNotify: () => {}, onState: () => {} })
    const { rows } =
      await db.query(`SELECT current_setting('lock_timeout') AS lock, current_setting('datestyle') AS date,
      current_setting('timezone') AS zone, current_setting('application_name') AS name, current_setting('client_encoding') AS encoding`)
    expect(rows).toEqual([{ lock: "10s", date: "ISO, YMD", zone: "UTC", name: "majordomo-gateway", encoding: "UTF8" }])
    await listener.close()
  })

  test("keeps what it has confirmed when it crashes, although its commits are asynchronous by default", async () => {
    const fragile = await startPostgres({ settings: { synchronous_commit: "off" } })
    onTestFinished(() => fragile.remove())
    const db = await openDatabase(postgresAt(fragile.url), context)
    onTestFinished(() => db.close())
    await migrate(db)
    const names = Array.from({ length: 20 }, (_, i) => `key ${i}`)
    for (const name of names) await createKey(db, { name })
    await fragile.kill()
    await fragile.start()
    // The pool notices only now that its connections are gone.
    await expect.poll(async () => (await listKeys(db)).map(({ name }) => name).sort()).toEqual(names.sort())
  })

  test.each(["local", "remote_write"])("keeps its own way to confirm commits if that is %s", async (value) => {
    const name = await create()
    await run(`ALTER DATABASE ${name} SET synchronous_commit = ${value}`)
    const db = await open(name)
    expect((await db.query("SHOW synchronous_commit")).rows).toEqual([{ synchronous_commit: value }])
  })

  test.each(["LATIN1", "SQL_ASCII"])("is refused in one line if its encoding is %s", async (encoding) => {
    const name = await create(`ENCODING ${encoding} LC_COLLATE 'C' LC_CTYPE 'C'`)
    await expect(open(name)).rejects.toThrow(
      new RegExp(`^the database "${name}" has the encoding ${encoding}, .*createdb --encoding=UTF8`),
    )
  })

  test("is refused in one line if it is read-only by default, and leaves no key", async () => {
    const name = await create()
    await migrate(await open(name))
    await run(`ALTER DATABASE ${name} SET default_transaction_read_only = on`)
    const db = await open(name)
    const failure = explainServerError(await createKey(db, { name: "k" }).catch((error: unknown) => error))
    expect(failure).toMatchObject({
      name: "CommandError",
      message: expect.stringMatching(/RESET default_transaction_read_only/),
    })
    expect(await listKeys(db)).toEqual([])
    const empty = await create()
    await run(`ALTER DATABASE ${empty} SET default_transaction_read_only = on`)
    await expect(migrate(await open(empty))).rejects.toThrow(/^the database accepts no writes: .*read_only/)
  })

  test.each([
    ["api_keys", "CREATE TABLE api_keys (id serial, user_id int, key text)"],
    ["llm_requests", "CREATE TABLE llm_requests (id serial, prompt text)"],
    ["orders, users", "CREATE TABLE users (id int); CREATE TABLE orders (id int)"],
  ])(
    "is refused in one line if it has the tables %s of another program, which another schema avoids",
    async (names, sql) => {
      const name = await create()
      await run(sql, name)
      await expect(migrate(await open(name))).rejects.toThrow(
        `the schema "public" of the database "${name}" contains tables of another program (${names}): use a database of its own, or set storage.postgres.schema`,
      )
      const db = await open(name, { schema: "Gate'way\\" })
      expect(await migrate(db)).toMatchObject({ did: "created" })
      const { key, secret } = await createKey(db, { name: "k" })
      expect(await findCaller(db, hashKey(secret))).toEqual({ keyId: key.id, keyName: key.name })
      expect((await db.query(`SELECT name FROM "Gate'way\\".api_keys`)).rows).toEqual([{ name: "k" }])
      expect(await migrate(await open(name, { schema: "Gate'way\\" }))).toMatchObject({ did: "nothing" })
    },
  )

  test("keeps its tables in the schema in which the search path finds them", async () => {
    const name = await create()
    await run(`CREATE SCHEMA app; ALTER DATABASE ${name} SET search_path = app`, name)
    await migrate(await open(name))
    expect((await run("SELECT schemaname FROM pg_tables WHERE tablename = 'api_keys'", name)).rows).toEqual([
      { schemaname: "app" },
    ])
    await run(`ALTER DATABASE ${name} SET search_path = public, app`)
    expect(await migrate(await open(name))).toMatchObject({ did: "nothing" })
  })

  test("a key whose creation fails does not exist, even if only the answer to its COMMIT was lost", async () => {
    const name = await create()
    const direct = await open(name)
    await migrate(direct)
    const proxy = await cutAfterCommit(server.port)
    onTestFinished(proxy.close)
    const url = new URL(urlOf(name))
    url.port = String(proxy.port)
    const db = await openDatabase(postgresAt(url.href), context)
    onTestFinished(() => db.close())
    await expect(createKey(db, { name: "lost" })).rejects.toThrow()
    expect(proxy.cuts()).toBe(1)
    expect(await listKeys(direct)).toEqual([])
  })
})

/** A proxy that forwards the first COMMIT of a client and then breaks the connection instead of returning the answer. */
async function cutAfterCommit(port: number) {
  const { connect } = await import("node:net")
  let cuts = 0
  const proxy = createServer((client) => {
    const server = connect(port, "127.0.0.1")
    let isCutting = false
    client.on("data", (bytes) => {
      if (cuts === 0 && bytes.includes("COMMIT")) {
        isCutting = true
        cuts++
      }
      server.write(bytes)
    })
    server.on("data", (bytes) => (isCutting ? client.destroy() : client.write(bytes)))
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on("error", () => {})
      one.on("close", () => other.destroy())
    }
  })
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve))
  return {
    port: (proxy.address() as { port: number }).port,
    cuts: () => cuts,
    close: () => new Promise<void>((resolve) => proxy.close(() => resolve())),
  }
}
