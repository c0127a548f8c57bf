import { connect as connectSocket, createServer, type Socket } from "node:net"
import { expect, test } from "vitest"
import { aRecord, connect, makeDirectory, openTestLedger } from "../database/_ledger.ts"
import { createTestDatabase } from "../support/postgres.ts"

/** A proxy to PostgreSQL that resets each connection after a number of bytes from the database. */
async function startBreakingWire(to: { host: string; port: number }, nextLimit: () => number) {
  let isBreaking = false
  const clients = new Set<Socket>()
  const breakAll = () => {
    isBreaking = true
    for (const client of clients) client.resetAndDestroy()
  }
  const server = createServer((client) => {
    const upstream = connectSocket(to.port, to.host)
    // The connections that open the pool (with TLS and without) survive.
    let left = isBreaking ? nextLimit() : Number.POSITIVE_INFINITY
    clients.add(client)
    client.on("error", () => {}).on("close", () => upstream.destroy())
    upstream.on("error", () => {}).on("close", () => client.destroy())
    client.pipe(upstream)
    upstream.on("data", (bytes) => {
      client.write(bytes.subarray(0, left))
      left -= bytes.length
      if (left <= 0) client.resetAndDestroy()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return { port: (server.address() as { port: number }).port, breakAll, close: () => server.close() }
}

test("[PGF-05] when connections are reset repeatedly after any number of bytes, every row is written exactly once", async () => {
  const { url } = await createTestDatabase()
  const direct = await connect(url)
  const address = new URL(url)
  let connections = 0
  const wire = await startBreakingWire({ host: address.hostname, port: Number(address.port) }, () =>
    // The resets hit every part of the conversation: the greeting, each response to a batch, and the end of a commit.
    ++connections > 25 ? Number.POSITIVE_INFINITY : 1 + ((connections * 137) % 3000),
  )
  address.port = String(wire.port)
  const ledger = await openTestLedger(await connect(address.href), await makeDirectory())
  const records = Array.from({ length: 400 }, () => aRecord())
  wire.breakAll()
  for (const record of records) ledger.append(record)
  await expect.poll(() => ledger.stats().waiting).toBe(0)
  const { rows } = await direct.query<{ count: string }>("SELECT count(*) FROM llm_requests")
  expect(rows[0]?.count).toBe("400")
  expect(ledger.stats()).toMatchObject({ accepted: 400, rejected: 0, dropped: 0 })
  expect(connections).toBeGreaterThan(1)
  wire.close()
})
