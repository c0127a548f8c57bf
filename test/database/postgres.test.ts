import { connect, createServer, type Server, type Socket } from "node:net"
import { describe, expect, onTestFinished, test } from "vitest"
import { isUnavailable } from "../../src/database/failures.ts"
import { openDatabase } from "../../src/database/open.ts"
import { describeDatabases, postgresAt } from "../support/databases.ts"
import { startPostgres } from "../support/postgres.ts"

const context = { role: "serve", log: () => {} } as const

describeDatabases("a database", (open) => {
  test("[AUT-08] returns numeric and bigint as text, and binds every value", async () => {
    const db = await open({ empty: true })
    const { rows } = await db.query({
      text: "SELECT 0.000000000001::numeric(20,12) AS cost, 9007199254740993::bigint AS tokens, $1::text AS said, date '2026-03-29' AS day",
      values: ["'; DROP TABLE api_keys; --"],
    })
    expect(rows).toEqual([
      { cost: "0.000000000001", tokens: "9007199254740993", said: "'; DROP TABLE api_keys; --", day: "2026-03-29" },
    ])
  })

  test("a transaction is all or nothing, and its connection is usable afterwards", async () => {
    const db = await open({ empty: true })
    await db.query("CREATE TABLE t (n int PRIMARY KEY)")
    await expect(
      db.transaction(async (query) => {
        await query("INSERT INTO t VALUES (1)")
        await query("INSERT INTO t VALUES (1)")
      }),
    ).rejects.toMatchObject({ code: "23505" })
    const answer = await db.transaction(async (query) => (await query("INSERT INTO t VALUES (2)")).rowCount)
    expect(answer).toBe(1)
    expect((await db.query("SELECT n FROM t")).rows).toEqual([{ n: 2 }])
  })

  test("a transaction that ignored a failed statement is reported as rolled back", async () => {
    const db = await open({ empty: true })
    await db.query("CREATE TABLE t (n int PRIMARY KEY)")
    const careless = db.transaction(async (query) => {
      await query("INSERT INTO t VALUES (1)")
      await query("SELECT 1/0").catch(() => {})
    })
    await expect(careless).rejects.toThrow(/rolled back/)
    expect((await db.query("SELECT n FROM t")).rows).toEqual([])
  })

  test("a notification reaches a listener of its channel until the listener is closed", async () => {
    const db = await open({ empty: true })
    const received: string[] = []
    const states: boolean[] = []
    let wake = () => {}
    const listener = await db.listen("the channel", {
      onNotify: (payload) => {
        received.push(payload)
        wake()
      },
      onState: (up) => states.push(up),
    })
    expect(states).toEqual([true])
    const arrived = new Promise<void>((resolve) => {
      wake = resolve
    })
    await db.query(`SELECT pg_notify('the channel', 'hello')`)
    await arrived
    expect(received).toEqual(["hello"])
    await listener.close()
    expect(states).toEqual([true, false])
  })

  test("[PGF-16] a statement rejects after its timeout, and the next one works", async () => {
    const db = await open({ empty: true })
    const slow = db.query({ text: "SELECT pg_sleep(1)", timeoutMs: 100 })
    await expect(slow).rejects.toMatchObject({ code: "DATABASE_TIMEOUT" })
    expect((await db.query("SELECT 1 AS n")).rows).toEqual([{ n: 1 }])
  })
})

describe("a PostgreSQL server that has a problem", () => {
  test("[PGF-17] if it is frozen, statements reject after their timeout; when it is thawed, they work again; close does not wait for it", async () => {
    const server = await startPostgres()
    onTestFinished(server.remove)
    const db = await openDatabase(postgresAt(server.url, { maxConns: 2 }), context)
    await server.freeze()
    const asked = [1, 2, 3, 4].map(() => db.query({ text: "SELECT 1", timeoutMs: 300 }))
    for (const { status, reason } of (await Promise.allSettled(asked)) as PromiseRejectedResult[]) {
      expect(status).toBe("rejected")
      expect(isUnavailable(reason)).toBe(true)
    }
    await server.thaw()
    await expect.poll(() => db.query("SELECT 1").then(() => "answers", String)).toBe("answers")
    await server.freeze()
    await db.close() // while the server is frozen
  })

  test("after a restart, or a kill, idle connections are replaced and the listener reconnects", async () => {
    const server = await startPostgres()
    onTestFinished(server.remove)
    const db = await openDatabase(postgresAt(server.url), context)
    onTestFinished(() => db.close())
    const states: boolean[] = []
    const received: string[] = []
    await db.listen("c", { onNotify: (payload) => received.push(payload), onState: (up) => states.push(up) })
    for (const end of [server.stop, server.kill]) {
      await end()
      await expect.poll(() => states.at(-1)).toBe(false)
      const refused = await db.query("SELECT 1").catch((error: unknown) => error)
      expect(isUnavailable(refused)).toBe(true)
      await server.start()
      await expect.poll(() => states.at(-1)).toBe(true)
      await db.query("SELECT pg_notify('c', 'again')")
      await expect.poll(() => received.at(-1)).toBe("again")
      received.length = 0
    }
  })

  test("[PGF-04] the heartbeat notices a listener whose connection is dead without an error", async () => {
    const server = await startPostgres()
    onTestFinished(server.remove)
    const { port, swallow } = await openSwallowingProxy(server.port)
    const url = new URL(server.url)
    url.port = String(port)
    const db = await openDatabase(postgresAt(url.href), context)
    onTestFinished(() => db.close())
    const states: boolean[] = []
    await db.listen("c", { onNotify: () => {}, onState: (up) => states.push(up) })
    expect(states).toEqual([true])
    swallow()
    await expect.poll(() => states.at(-1)).toBe(false)
  })

  test("an error of a statement is not an error of the connection", async () => {
    const server = await startPostgres()
    onTestFinished(server.remove)
    const db = await openDatabase(postgresAt(server.url), context)
    onTestFinished(() => db.close())
    for (const text of ["SELECT nothing", "SELECT 1/0", "SELECT '\\u0000'::jsonb", "SELECT 'x'::int"]) {
      expect(isUnavailable(await db.query(text).catch((error: unknown) => error))).toBe(false)
    }
    const ended = await db.query("SELECT pg_terminate_backend(pg_backend_pid())").catch((error: unknown) => error)
    expect(isUnavailable(ended)).toBe(true)
  })
})

/** A proxy that passes bytes on until `swallow` is called. Then it drops them in both directions, and keeps connections open. */
async function openSwallowingProxy(target: number): Promise<{ port: number; swallow: () => void }> {
  let swallows = false
  const sockets = new Set<Socket>()
  const pass = (from: Socket, to: Socket) => {
    sockets.add(from)
    from.on("data", (chunk) => !swallows && to.write(chunk))
    from.on("close", () => to.destroy())
    from.on("error", () => {})
  }
  const server: Server = createServer((near) => {
    const far = connect(target, "127.0.0.1")
    pass(near, far)
    pass(far, near)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  const swallow = () => {
    swallows = true
  }
  return { port: typeof address === "object" && address ? address.port : 0, swallow }
}
