import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { type Pipeline, startPipeline } from "../support/pipeline.ts"
import { connectRaw, type RawClient } from "../support/raw.ts"
import { exchange, KEY_LINE, nextRecords, request } from "./_raw.ts"

const STREAM = request("", { close: false, body: '{"model":"m","stream":true,"messages":[]}' })
/** No timeout of the gateway ends a request meanwhile, so that only the departure of the client can. */
const NEVER_MS = 600_000

let fakeProvider: FakeProvider
let gateway: Pipeline
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
  gateway = await startPipeline({
    upstream: fakeProvider.origin,
    settings: { maxConnections: 4000, writeTimeoutMs: NEVER_MS, firstByteTimeoutMs: NEVER_MS, idleTimeoutMs: NEVER_MS },
  })
})
afterEach(async () => {
  await expect.poll(() => gateway.gateway.openRequests()).toBe(0)
  await expect.poll(() => gateway.gateway.unrecordedRequests()).toBe(0)
  fakeProvider.reset()
})
afterAll(async () => {
  await gateway.close()
  await fakeProvider.close()
})

async function open(text: string, until: RegExp | undefined): Promise<RawClient> {
  const client = await connectRaw(gateway.port)
  client.send(text)
  if (until) await client.until(until)
  return client
}

/** Waits until `count` requests are aborted at the provider. */
async function aborted(count: number): Promise<void> {
  for (let i = 0; i < count; i++) expect(await (await fakeProvider.nextRequest()).ended).toBe("caller_left")
}

const leave = {
  FIN: (client: RawClient) => client.socket.destroy(),
  RST: (client: RawClient) => client.socket.resetAndDestroy(),
} as const
const ways = ["FIN", "RST"] as const

describe.each(ways)("a client that disconnects with %s", (way) => {
  test("[ABT-01] before the response headers: the provider's request is aborted without waiting for a timeout, and the row has status 499 and no usage", async () => {
    fakeProvider.always({ never: true })
    const clients = await Promise.all(Array.from({ length: 20 }, () => open(STREAM, undefined)))
    await expect.poll(() => fakeProvider.exchanges.length).toBe(20)
    for (const client of clients) leave[way](client)
    await aborted(20)
    for (const row of await nextRecords(gateway, 20)) {
      expect(row).toMatchObject({ status_code: 499, outcome: "client_left", usage_source: "none" })
    }
  })

  test("[ABT-02] during a stream: the same, with the usage that is known", async () => {
    fakeProvider.always({ pieces: 9, hangAfterPieces: 4 })
    const clients = await Promise.all(Array.from({ length: 20 }, () => open(STREAM, /data: /)))
    for (const client of clients) leave[way](client)
    await aborted(20)
    for (const row of await nextRecords(gateway, 20)) {
      expect(row).toMatchObject({ outcome: "client_left", status_code: 200, streamed: true, usage_source: "estimated" })
    }
  })

  test("[ABT-03] while it reads nothing and all buffers are full: the same", async () => {
    fakeProvider.always({ textBytes: 30_000_000, chunked: true, chunkBytes: 65_536 })
    const client = await connectRaw(gateway.port)
    client.socket.pause()
    client.send(request("", { close: false }))
    const upstream = await fakeProvider.nextRequest()
    let sent = -1
    await expect
      .poll(
        () => {
          const before = sent
          sent = upstream.sentBody.length
          return sent > 1_000_000 && sent === before
        },
        { interval: 100 },
      )
      .toBe(true)
    leave[way](client)
    expect(await upstream.ended).toBe("caller_left")
    expect(await gateway.nextRecord()).toMatchObject({ outcome: "client_left" })
  })

  test("[ABT-05] during its upload: nothing is forwarded, and there is a row", async () => {
    const client = await connectRaw(gateway.port)
    client.send(`POST /v1/files HTTP/1.1\r\nHost: a\r\n${KEY_LINE}Content-Length: 8000000\r\n\r\n`)
    client.send(Buffer.alloc(4_000_000))
    await expect.poll(() => client.socket.writableLength).toBe(0)
    leave[way](client)
    expect(await gateway.nextRecord()).toMatchObject({ outcome: "client_left", status_code: 499 })
    expect(fakeProvider.exchanges.length).toBe(0)
  })
})

test("[ABT-04] a disconnect is detected whatever the garbage collector does meanwhile", async () => {
  setFlagsFromString("--expose-gc")
  const collect = runInNewContext("gc") as () => void
  const timer = setInterval(collect, 100)
  fakeProvider.always({ pieces: 5, hangAfterPieces: 2 })
  for (let round = 0; round < 5; round++) {
    const clients = await Promise.all(Array.from({ length: 100 }, () => open(STREAM, /data: /)))
    collect()
    for (const client of clients) client.close()
    await aborted(100)
    for (const row of await nextRecords(gateway, 100)) expect(row.outcome).toBe("client_left")
  }
  clearInterval(timer)
})

test("[ABT-06] a client that does not read pauses its provider, so that no bytes accumulate in the gateway", async () => {
  const slow = await startPipeline({
    upstream: fakeProvider.origin,
    settings: { maxConnections: 100, writeTimeoutMs: 60_000 },
  })
  fakeProvider.always({ textBytes: 12_000_000, chunked: true, chunkBytes: 65_536 })
  const clients = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const client = await connectRaw(slow.port)
      client.socket.pause()
      client.send(request("", { close: false }))
      return client
    }),
  )
  await expect.poll(() => fakeProvider.exchanges.length).toBe(5)
  const sentOf = () => fakeProvider.exchanges.map(({ sentBody }) => sentBody.length)
  let sent: number[] = []
  await expect
    .poll(
      () => {
        const before = sent
        sent = sentOf()
        return sent.every((bytes, index) => bytes > 500_000 && bytes === before[index])
      },
      { interval: 200 },
    )
    .toBe(true)
  // Two pairs of socket buffers on the loopback take a few megabytes. The gateway's own buffers have a limit.
  for (const bytes of sent) expect(bytes).toBeLessThan(11_000_000)
  for (const client of clients) client.close()
  for (const row of await nextRecords(slow, 5)) expect(row.outcome).toBe("client_left")
  await slow.close()
})

test("[ABT-08] if the clients of a thousand streams disconnect at once, every provider's request is aborted and every request has its row", async () => {
  fakeProvider.always({ pieces: 5, hangAfterPieces: 2 })
  const count = 1000
  const clients: RawClient[] = []
  while (clients.length < count) {
    clients.push(...(await Promise.all(Array.from({ length: 200 }, () => open(STREAM, /data: /)))))
  }
  for (const client of clients) client.socket.resetAndDestroy()
  await aborted(count)
  const rows = await nextRecords(gateway, count)
  expect(new Set(rows.map(({ id }) => id)).size).toBe(count)
  expect(rows.filter(({ outcome }) => outcome !== "client_left")).toEqual([])
})

test("[ABT-09] a client that disappears silently is disconnected after the write timeout, with a row", async () => {
  const strict = await startPipeline({ upstream: fakeProvider.origin, settings: { writeTimeoutMs: 1000 } })
  fakeProvider.always({ textBytes: 30_000_000, chunked: true, chunkBytes: 65_536 })
  const client = await connectRaw(strict.port)
  client.socket.pause()
  client.send(request("", { close: false }))
  expect(await strict.nextRecord()).toMatchObject({ outcome: "client_left" })
  client.close()
  await strict.close()
})

test("[ABT-10] thousands of requests, some of them abandoned, leak no listener, timer or handle", async () => {
  const warnings: Error[] = []
  const warn = (warning: Error) => void warnings.push(warning)
  process.on("warning", warn)
  const work = async (index: number) => {
    if (index % 10 === 0) {
      const client = await open(request("", { close: false }), undefined)
      client.close()
    } else await exchange(gateway.port, request())
  }
  for (let i = 0; i < 20; i++) await work(i)
  await expect.poll(() => gateway.gateway.openRequests()).toBe(0)
  const before = process.getActiveResourcesInfo().filter((name) => name === "Timeout").length
  for (let i = 0; i < 1000; i += 20) await Promise.all(Array.from({ length: 20 }, (_, j) => work(i + j)))
  await expect.poll(() => gateway.gateway.openRequests()).toBe(0)
  await expect
    .poll(() => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length)
    .toBeLessThan(before + 6)
  process.off("warning", warn)
  expect(warnings).toEqual([])
})
