import { expect, test } from "vitest"
import { openEmbedded } from "../../src/database/embedded.ts"
import { makeDirectory, spawnScript, startTestServer } from "./_harness.ts"

test("every acknowledged row survives kill -9", async () => {
  const dataDir = makeDirectory()
  let acknowledged = 0
  for (const rows of [1, 40, 150]) {
    const child = spawnScript(
      dataDir,
      `const database = await openEmbedded({ dataDir, role: "serve", log: () => {} })
      await database.query("CREATE TABLE IF NOT EXISTS t (n int PRIMARY KEY)")
      for (let n = ${acknowledged} + 1; ; n++) {
        await database.query({ text: "INSERT INTO t VALUES ($1) ON CONFLICT DO NOTHING", values: [n], name: "insert" })
        await print(String(n))
      }`,
    )
    for (let seen = 0; seen < rows; seen++) acknowledged = Number(await child.next())
    await child.kill()
    for (let line = await child.next().catch(() => ""); line; line = await child.next().catch(() => "")) {
      acknowledged = Number(line)
    }
  }
  const database = await openEmbedded({ dataDir, role: "command", log: () => {} })
  const { rows } = await database.query<{ n: number }>("SELECT n FROM t ORDER BY n")
  expect(rows.slice(0, acknowledged).map(({ n }) => n)).toEqual(Array.from({ length: acknowledged }, (_, at) => at + 1))
  await database.close()
})

test("a commit is synced to disk before it is acknowledged; a read is not synced", async () => {
  const server = await startTestServer()
  const client = await server.connect()
  await client.query("CREATE TABLE t (n int)")
  const before = server.syncCount()
  await client.query("INSERT INTO t VALUES (1)")
  const after = server.syncCount()
  expect(after).toBeGreaterThan(before)
  await client.query("SELECT n FROM t")
  expect(server.syncCount()).toBe(after)
  await client.query("CHECKPOINT")
  expect(server.syncCount()).toBeGreaterThan(after)
  await server.close(0)
})
