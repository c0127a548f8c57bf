import { mkdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { afterEach, expect, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { openEmbedded } from "../../src/database/embedded.ts"
import { makeDirectory, spawnScript, startTestServer } from "./_harness.ts"

const open: Database[] = []
afterEach(async () => {
  for (const database of open.splice(0)) await database.close()
})

async function openHere(dataDir: string, role: "serve" | "command", lines: string[] = []): Promise<Database> {
  const database = await openEmbedded({ dataDir, role, log: (line) => void lines.push(line) })
  open.push(database)
  return database
}

const SERVE = `const database = await openEmbedded({ dataDir, role: "serve", log: () => {} })`

test("rows are still there when the database is opened again", async () => {
  const dataDir = makeDirectory()
  const first = await openHere(dataDir, "serve")
  expect(first).toMatchObject({ kind: "embedded", title: `embedded PostgreSQL (${dataDir})` })
  await first.query("CREATE TABLE kept AS SELECT 42 AS answer")
  await first.close()
  const second = await openHere(dataDir, "command")
  expect((await second.query("SELECT answer FROM kept")).rows).toEqual([{ answer: 42 }])
})

test("a command joins the running gateway, and opens the database itself when the gateway is killed", async () => {
  const dataDir = makeDirectory()
  const serve = spawnScript(dataDir, `${SERVE}; await database.query("CREATE TABLE t (n int)"); await print("open")`)
  await serve.next()
  const command = await openHere(dataDir, "command")
  await command.query("INSERT INTO t VALUES (1)")
  await serve.kill()
  expect((await command.query("SELECT count(*)::int AS n FROM t")).rows).toEqual([{ n: 1 }])
  await command.query("INSERT INTO t VALUES (2)")
  expect((await command.query("SELECT count(*)::int AS n FROM t")).rows).toEqual([{ n: 2 }])
})

test("a second gateway on the same directory fails at once, with an error that names the first", async () => {
  const dataDir = makeDirectory()
  await openHere(dataDir, "serve")
  const second = spawnScript(
    dataDir,
    `${SERVE}.catch((error) => error)
    await print(database.name + ": " + database.message)`,
  )
  expect(await second.next()).toMatch(
    new RegExp(
      `^CommandError: the embedded database in .* is in use by a running gateway .*process ${process.pid}, since 20`,
    ),
  )
  await second.kill()
})

test("a gateway that starts while a command owns the database waits until the command has ended", async () => {
  const dataDir = makeDirectory()
  const command = spawnScript(
    dataDir,
    `const database = await openEmbedded({ dataDir, role: "command", log: () => {} })
    await database.query("CREATE TABLE done (n int)")
    await print("open")
    await new Promise((next) => process.stdin.once("data", next))
    await database.query("INSERT INTO done VALUES (1)")
    await database.close()
    process.exit()`,
  )
  await command.next()
  const serve = openHere(dataDir, "serve")
  command.process.stdin?.write("go on\n")
  expect((await (await serve).query("SELECT n FROM done")).rows).toEqual([{ n: 1 }])
})

test("commands that start at the same time all succeed", async () => {
  const dataDir = makeDirectory()
  await (await openHere(dataDir, "command")).query("CREATE TABLE t (n int)")
  await open.pop()?.close()
  const run = (n: number) =>
    spawnScript(
      dataDir,
      `const database = await openEmbedded({ dataDir, role: "command", log: () => {} })
      await database.query("INSERT INTO t VALUES (${n})")
      await database.close()
      await print("done")
      process.exit()`,
    ).next()
  expect(await Promise.all([1, 2, 3, 4].map(run))).toEqual(["done", "done", "done", "done"])
  const { rows } = await (await openHere(dataDir, "command")).query("SELECT sum(n)::int AS sum FROM t")
  expect(rows).toEqual([{ sum: 10 }])
})

test("when the path of the directory is too long for a socket, the socket is elsewhere and endpoint.json names it", async () => {
  const dataDir = join(makeDirectory(), "d".repeat(60), "e".repeat(60))
  mkdirSync(dataDir, { recursive: true })
  const serve = await openHere(dataDir, "serve")
  await serve.query("CREATE TABLE t AS SELECT 7 AS n")
  const { socket } = JSON.parse(readFileSync(join(dataDir, "endpoint.json"), "utf8")) as { socket: string }
  expect(dirname(socket)).not.toBe(dataDir)
  const command = await openHere(dataDir, "command")
  expect((await command.query("SELECT n FROM t")).rows).toEqual([{ n: 7 }])
})

test("Database.listen receives the NOTIFY of a command", async () => {
  const dataDir = makeDirectory()
  const serve = await openHere(dataDir, "serve")
  const command = await openHere(dataDir, "command")
  const heard = new Promise<string>((resolve, reject) => {
    serve.listen("revoked", { onNotify: resolve, onState: () => {} }).catch(reject)
  })
  await expect
    .poll(async () => (await command.query("SELECT pg_listening_channels() AS name")).rows)
    .toEqual([{ name: "revoked" }])
  await command.query("SELECT pg_notify('revoked', 'a key')")
  expect(await heard).toBe("a key")
})

test("an engine whose lease is late writes nothing until the lease is renewed", async () => {
  const validUntil = new Float64Array(new SharedArrayBuffer(8)).fill(Number.POSITIVE_INFINITY)
  const server = await startTestServer({}, validUntil)
  const client = await server.connect()
  await client.query("CREATE TABLE t (n int)")
  validUntil[0] = Date.now() - 1
  const syncs = server.syncCount()
  const written = client.query("INSERT INTO t VALUES (1)").then(() => "written")
  expect(await Promise.race([written, delay(1_000, "waiting")])).toBe("waiting")
  expect(server.syncCount()).toBe(syncs)
  validUntil[0] = Number.POSITIVE_INFINITY
  expect(await written).toBe("written")
  await server.close(0)
})
