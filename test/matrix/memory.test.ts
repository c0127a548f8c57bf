import { afterAll, beforeAll, expect, test } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { collectGarbage } from "../support/garbage.ts"
import { type Pipeline, startPipeline } from "../support/pipeline.ts"
import { connectRaw } from "../support/raw.ts"
import { exchange, request } from "./_raw.ts"

const ROUND = 1000
const ROUNDS = 4
const LANES = 20
/** One listener, closure or map entry per request would need more than this. */
const MAX_BYTES_PER_REQUEST = 150

let fakeProvider: FakeProvider
let gateway: Pipeline
let rows = 0
beforeAll(async () => {
  fakeProvider = await startFakeProvider({ record: false })
  gateway = await startPipeline({
    upstream: fakeProvider.origin,
    settings: { maxConnections: LANES, firstByteTimeoutMs: 500 },
    ledger: {
      append: (_record, onStored) => {
        rows++
        onStored?.()
      },
    },
  })
})
afterAll(async () => {
  await gateway.close()
  await fakeProvider.close()
})

const STREAM = '{"model":"gpt-4o-mini","stream":true,"messages":[]}'
const script = (given: object) => `x-fake-provider: ${JSON.stringify(given)}\r\n`

/** The nth request of a mix: complete and streamed, compressed, broken off, rejected, and abandoned by its client. */
async function one(n: number): Promise<void> {
  switch (n % 8) {
    case 0:
    case 1:
      return void (await exchange(gateway.port, request(`X-Majordomo-Tag: ${n}\r\n`)))
    case 2:
      return void (await exchange(gateway.port, request(script({ pieces: 5 }), { body: STREAM })))
    case 3:
      return void (await exchange(gateway.port, request(script({ encoding: "gzip" }), { body: STREAM })))
    case 4:
      return void (await exchange(gateway.port, request(script({ pieces: 9, breakAfterPieces: 3 }), { body: STREAM })))
    case 5:
      return void (await exchange(gateway.port, request("", { path: `/nowhere/${n}` })))
    case 6:
      return void (await exchange(gateway.port, request(script({ breakAfterPieces: 0 }))))
    default: {
      const client = await connectRaw(gateway.port)
      client.send(request(script({ pieces: 50, pieceDelayMs: 50 }), { body: STREAM }))
      await client.until(/data: /)
      client.close()
    }
  }
}

async function round(from: number): Promise<number> {
  let next = from
  const lane = async () => {
    while (next < from + ROUND) await one(next++)
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  await expect.poll(() => gateway.gateway.openRequests()).toBe(0)
  // Collects twice with a tick in between, because finalizers release objects only for the second run.
  collectGarbage()
  await new Promise((resolve) => setImmediate(resolve))
  return collectGarbage().heapUsed
}

test("[LOD-05] [ABT-10] thousands of requests with every outcome leak no memory, timer or socket", async () => {
  await round(0)
  await round(ROUND)
  await round(2 * ROUND) // V8 releases unused compiled code about now
  const before = { heap: await round(3 * ROUND), rows, resources: process.getActiveResourcesInfo().length }
  const heaps: number[] = []
  for (let i = 0; i < ROUNDS; i++) heaps.push(await round((4 + i) * ROUND))
  const perRequest = (Math.min(...heaps.slice(-2)) - before.heap) / (ROUND * (ROUNDS - 1))
  console.info(`heap: ${perRequest.toFixed(0)} bytes per request over ${ROUND * ROUNDS} requests`)
  expect(rows - before.rows).toBe((ROUND * ROUNDS * 7) / 8)
  expect(perRequest).toBeLessThan(MAX_BYTES_PER_REQUEST)
  await expect.poll(() => process.getActiveResourcesInfo().length).toBeLessThan(before.resources + 2 * LANES)
})
