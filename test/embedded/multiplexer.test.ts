import { execFile, spawnSync } from "node:child_process"
import { once } from "node:events"
import { connect } from "node:net"
import { dirname } from "node:path"
import { promisify } from "node:util"
import type pg from "pg"
import { afterAll, beforeAll, expect, test } from "vitest"
import { toMessage, toQuery, toStartup } from "../../src/embedded/multiplexer/wire.ts"
import { startTestServer, type TestServer } from "./_harness.ts"

let server: TestServer

beforeAll(async () => {
  server = await startTestServer({ idleTransactionMs: 300, maxClients: 20 })
})
afterAll(() => server.close(0))

/** Connects a client that sends raw messages. `until` waits for a text in what it receives. */
async function connectRaw() {
  const socket = connect({ path: server.socket })
  socket.on("error", () => {})
  await once(socket, "connect")
  let received = ""
  const until = async (text: string): Promise<string> => {
    while (!received.includes(text)) {
      if (socket.destroyed) throw new Error(`closed after: ${JSON.stringify(received)}`)
      await Promise.race([once(socket, "data"), once(socket, "close")])
    }
    const answer = received
    received = ""
    return answer
  }
  socket.on("data", (chunk: Buffer) => {
    received += chunk.toString("latin1")
  })
  return { socket, until }
}

const READY = "Z\0\0\0\x05I"
const parse = (name: string, sql: string) => toMessage("P", `${name}\0${sql}\0`, Buffer.alloc(2))
const bind = (name: string) => toMessage("B", `\0${name}\0`, Buffer.alloc(6))
const execute = toMessage("E", "\0", Buffer.alloc(4))
const sync = toMessage("S")

async function startedRaw() {
  const client = await connectRaw()
  client.socket.write(toStartup())
  await client.until(READY)
  return client
}

test("two clients that use the same statement name, or the unnamed statement, each get their own statement", async () => {
  for (const name of ["s1", ""]) {
    const one = await startedRaw()
    const two = await startedRaw()
    one.socket.write(Buffer.concat([parse(name, "SELECT 'of one'"), sync]))
    await one.until(READY)
    two.socket.write(Buffer.concat([parse(name, "SELECT 'of two'"), sync]))
    await two.until(READY)
    one.socket.write(Buffer.concat([bind(name), execute, sync]))
    expect(await one.until(READY)).toContain("of one")
    two.socket.write(Buffer.concat([bind(name), execute, sync]))
    expect(await two.until(READY)).toContain("of two")
    one.socket.destroy()
    two.socket.destroy()
  }
})

test("a client that sends Parse and Flush owns the backend until its Sync", async () => {
  const one = await startedRaw()
  const two = await startedRaw()
  one.socket.write(Buffer.concat([parse("", "SELECT 'of one'"), toMessage("H")]))
  await one.until("1\0\0\0\x04")
  two.socket.write(Buffer.concat([parse("", "SELECT 'of two'"), bind(""), execute, sync]))
  one.socket.write(Buffer.concat([bind(""), execute, sync]))
  expect(await one.until(READY)).toContain("of one")
  expect(await two.until(READY)).toContain("of two")
  one.socket.destroy()
  two.socket.destroy()
})

test("DISCARD ALL of one client does not deallocate the prepared statements of other clients", async () => {
  const one = await server.connect()
  const two = await server.connect()
  const select = { name: "kept", text: "SELECT $1::int + 1 AS sum", values: [1] }
  await one.query(select)
  await two.query("DISCARD ALL")
  expect((await one.query(select)).rows).toEqual([{ sum: 2 }])
})

test("a setting applies only to the client that changed it, whichever statement changed it", async () => {
  const one = await server.connect()
  const two = await server.connect({ options: "-c TimeZone=Asia/Tokyo" })
  await one.query("SELECT set_config('search_path', '', false)")
  await one.query("SET work_mem = '7MB'; SET TIME ZONE 'Europe/Lisbon'")
  const read = async (client: pg.Client) =>
    Object.values(
      (
        await client.query(
          "SELECT current_setting('search_path') a, current_setting('work_mem') b, current_setting('TimeZone') c",
        )
      ).rows[0],
    )
  expect(await read(two)).toEqual(["public", "4MB", "Asia/Tokyo"])
  expect(await read(one)).toEqual(["", "7MB", "Europe/Lisbon"])
  await one.end()
  expect(await read(await server.connect())).toEqual(["public", "4MB", "UTC"])
})

test("a transaction belongs to one client: other clients wait, and see all of it or nothing", async () => {
  const one = await server.connect()
  const two = await server.connect()
  await one.query("CREATE TABLE alone (n int)")
  await one.query("BEGIN")
  await one.query("INSERT INTO alone VALUES (1)")
  const counted = two.query("SELECT count(*)::int AS n FROM alone")
  await one.query("INSERT INTO alone VALUES (2)")
  await one.query("COMMIT")
  expect((await counted).rows).toEqual([{ n: 2 }])
})

test("the transaction of a client that disconnects is rolled back", async () => {
  const one = await server.connect()
  const two = await server.connect()
  await one.query("CREATE TABLE undone (n int)")
  await one.query("BEGIN")
  await one.query("INSERT INTO undone VALUES (1)")
  ;(one as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy()
  expect((await two.query("SELECT count(*)::int AS n FROM undone")).rows).toEqual([{ n: 0 }])
})

test("a client that is idle in a transaction while others wait is disconnected with 25P03", async () => {
  const idle = await server.connect()
  const other = await server.connect()
  const cut = once(idle, "error")
  await idle.query("BEGIN")
  await other.query("SELECT 1")
  expect((await cut)[0]).toMatchObject({ code: "25P03" })
})

test("COPY FROM STDIN loads rows, and the database stays usable after a COPY that fails", async () => {
  const client = await startedRaw()
  client.socket.write(toQuery("CREATE TABLE copied (n int)"))
  await client.until(READY)
  client.socket.write(toQuery("COPY copied FROM STDIN"))
  await client.until("G")
  client.socket.write(Buffer.concat([toMessage("d", "1\n2\n"), toMessage("d", "3\n"), toMessage("c")]))
  expect(await client.until(READY)).toContain("COPY 3")
  client.socket.write(toQuery("COPY nowhere FROM STDIN"))
  await client.until("G")
  client.socket.write(Buffer.concat([toMessage("d", "1\n"), toMessage("c")]))
  expect(await client.until(READY)).toContain("42P01")
  client.socket.write(Buffer.concat([parse("", "COPY copied FROM STDIN"), bind(""), execute, sync]))
  expect(await client.until(READY)).toContain("57014")
  client.socket.write(toQuery("SELECT 'sum ' || sum(n) FROM copied"))
  expect(await client.until(READY)).toContain("sum 6")
  client.socket.destroy()
})

test("a notification reaches every client that listens, and no other client", async () => {
  const listeners = [await server.connect(), await server.connect()]
  const quiet = await server.connect()
  const heard = listeners.map(async (client) => (await once(client, "notification"))[0])
  let overheard = 0
  quiet.on("notification", () => overheard++)
  await quiet.query("LISTEN news")
  for (const client of listeners) await client.query('LISTEN "news"')
  await quiet.query("UNLISTEN news")
  await quiet.query("SELECT pg_notify('news', 'for you')")
  expect(await Promise.all(heard)).toMatchObject([{ payload: "for you" }, { channel: "news" }])
  await quiet.query("SELECT 1")
  expect(overheard).toBe(0)
})

test("a response larger than all buffers arrives completely", async () => {
  const client = await server.connect()
  const { rows } = await client.query("SELECT n, repeat('x', 1000) AS text FROM generate_series(1, 20000) n")
  expect(rows.length).toBe(20_000)
  expect(rows.at(-1)).toEqual({ n: 20_000, text: "x".repeat(1_000) })
})

test("a parameter of several megabytes arrives completely", async () => {
  const client = await server.connect()
  const { rows } = await client.query("SELECT length($1::text) AS length", ["y".repeat(9_000_000)])
  expect(rows).toEqual([{ length: 9_000_000 }])
})

test.for([
  ["a type that does not exist", Buffer.concat([Buffer.from("!"), Buffer.from([0, 0, 0, 4])])],
  ["a negative length", Buffer.concat([Buffer.from("Q"), Buffer.from([255, 255, 255, 255])])],
  ["a length beyond the limit", Buffer.concat([Buffer.from("Q"), Buffer.from([127, 255, 255, 255])])],
  ["an oversized Execute", toMessage("E", "x".repeat(20_000))],
  ["a Parse without its end", toMessage("P", "name")],
] as const)("%s disconnects that client with 08P01, and no other client", async ([, bytes]) => {
  const bad = await startedRaw()
  const good = await server.connect()
  bad.socket.write(bytes)
  expect(await bad.until("08P01")).toContain("FATAL")
  expect((await good.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }])
})

test("a malformed Bind fails only that statement", async () => {
  const client = await startedRaw()
  client.socket.write(Buffer.concat([parse("", "SELECT 1"), toMessage("B", "\0\0\0"), sync]))
  expect(await client.until(READY)).toContain("08P01")
  client.socket.destroy()
})

test("SSL and GSS requests are answered with N, and a cancel request closes its connection", async () => {
  const packet = (code: number, rest = 0) => {
    const bytes = Buffer.alloc(8 + rest)
    bytes.writeInt32BE(8 + rest, 0)
    bytes.writeInt32BE(code, 4)
    return bytes
  }
  const client = await connectRaw()
  client.socket.write(packet(80_877_103))
  await client.until("N")
  client.socket.write(packet(80_877_104))
  await client.until("N")
  client.socket.write(toStartup())
  await client.until(READY)
  client.socket.destroy()
  const cancel = await connectRaw()
  cancel.socket.write(packet(80_877_102, 8))
  await once(cancel.socket, "close")
})

test("a client above the limit is rejected with 53300", async () => {
  /** A client of an earlier test may still be connected, so a rejected client tries again. */
  const enter = async (): ReturnType<typeof startedRaw> => startedRaw().catch(enter)
  const clients = await Promise.all(Array.from({ length: 20 }, enter))
  const oneMore = await connectRaw()
  expect(await oneMore.until("53300")).toContain("too many clients")
  for (const { socket } of clients) socket.destroy()
  await Promise.all(clients.map(({ socket }) => socket.closed || once(socket, "close")))
})

test("psql can use the socket", async (context) => {
  if (spawnSync("psql", ["--version"]).error) return context.skip("psql is not installed")
  const args = ["-X", "-At", "-h", dirname(server.socket), "-U", "postgres"]
  const commands = ["-c", "CREATE TABLE from_psql (n int)", "-c", "\\copy from_psql FROM PROGRAM 'seq 1000'"]
  const { stdout } = await promisify(execFile)("psql", [...args, ...commands, "-c", "SELECT sum(n) FROM from_psql"])
  expect(stdout.trim().split("\n")).toEqual(["CREATE TABLE", "COPY 1000", "500500"])
})
