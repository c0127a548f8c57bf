import { dirname } from "node:path"
import pg from "pg"
import { afterAll, expect, test } from "vitest"
import { findAssets } from "../../src/embedded/assets.ts"
import { prepareCluster } from "../../src/embedded/cluster.ts"
import { makeSocketPath } from "../../src/embedded/endpoint.ts"
import { startEngine } from "../../src/embedded/engine.ts"
import { createMultiplexer } from "../../src/embedded/multiplexer.ts"
import { makeDirectory } from "./_harness.ts"

let close = async () => {}
afterAll(() => close())

test("[PGF-08] while the disk is nearly full, statements that write are rejected with 53100, and statements that read work", async () => {
  const dataDir = makeDirectory()
  const assets = findAssets()
  const directory = await prepareCluster({ dataDir, ...assets, log: () => {} })
  const engine = await startEngine(assets.workerUrl, directory)
  let isLow = false
  const multiplexer = createMultiplexer({ isDiskLow: () => isLow, log: () => {} })
  await multiplexer.attach(engine)
  const socket = makeSocketPath(dataDir)
  await multiplexer.listen(socket)
  const client = new pg.Client({ host: dirname(socket), user: "postgres", database: "postgres" })
  client.on("error", () => {})
  await client.connect()
  close = async () => {
    await client.end()
    await multiplexer.close(0)
    await engine.close()
  }

  const insert = { name: "insert", text: "INSERT INTO t VALUES ($1)", values: [1] }
  const insertWith = "WITH new AS (INSERT INTO t VALUES (2) RETURNING n) SELECT n FROM new"
  await client.query("CREATE TABLE t (n int)")
  await client.query(insert)
  isLow = true
  for (const statement of [insert, insertWith, "-- a comment\nUPDATE t SET n = 3"]) {
    await expect(client.query(statement)).rejects.toMatchObject({ code: "53100", severity: "ERROR" })
  }
  expect((await client.query("SELECT n FROM t")).rows).toEqual([{ n: 1 }])
  isLow = false
  await client.query(insert)
  expect((await client.query("SELECT count(*)::int AS n FROM t")).rows).toEqual([{ n: 2 }])
})
