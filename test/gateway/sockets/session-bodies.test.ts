import { afterEach, expect, test } from "vitest"
import { type BodyStore, openBodyStore } from "../../../src/bodies/index.ts"
import { type Pipeline, startPipeline } from "../../support/pipeline.ts"
import { answerNext, begun, collect, completed, create, nextMessage, price, typesUntil } from "./_responses.ts"
import { connectSocket, type SocketProvider, startSocketProvider } from "./_sockets.ts"

let pipeline: Pipeline
let provider: SocketProvider
let bodies: BodyStore
afterEach(async () => {
  await provider.close()
  await pipeline.close()
  await bodies.close()
})

async function open(redact: readonly string[] = [], headers: Readonly<Record<string, string>> = {}) {
  provider = await startSocketProvider()
  bodies = await openBodyStore({
    ...{ storage: "postgres", storeRequestBody: true, storeResponseBody: true, clientOptOut: true },
    ...{ maxBodyBytes: 65_536, redact, dir: "", maxDiskBytes: 0, syncIntervalMs: 0, log: () => {} },
    s3: {} as never,
    clearKeys: (async () => {}) as never,
  })
  const deps = { openBodies: bodies.open, openMessages: bodies.openMessages }
  pipeline = await startPipeline({ upstream: provider.origin, price, deps })
  const accepted = provider.accepted().then(collect)
  const client = collect(await connectSocket(pipeline, { path: "/v1/responses", headers }))
  return { client, far: await accepted }
}

test("a row has the client's messages since the response before, and the provider's of the response, one per line", async () => {
  const { client, far } = await open()
  const note = JSON.stringify({ type: "session.note", text: "before" })
  client.send(note)
  client.send(create())
  await nextMessage(far)
  await answerNext(far)
  await typesUntil(client, "response.completed")
  expect(await pipeline.nextRecord()).toMatchObject({
    request_body: `${note}\n${create()}\n`,
    response_body: `${[...begun(), completed()].join("\n")}\n`,
  })
  client.send(create({ input: "again" }))
  await answerNext(far, { id: "resp_2" })
  expect(await pipeline.nextRecord()).toMatchObject({ request_body: `${create({ input: "again" })}\n` })
  expect(bodies.stats().memoryBytes).toBe(0)
})

test("messages are redacted as the lines of a stream are", async () => {
  const { client, far } = await open(["$.input", "$.delta"])
  client.send(create({ input: "a secret" }))
  await answerNext(far, { text: "another secret" })
  const row = await pipeline.nextRecord()
  expect(row.request_body).toContain('"input":"[redacted]"')
  expect(row.response_body).toContain('"delta":"[redacted]"')
  expect(`${row.request_body}${row.response_body}`).not.toContain("secret")
})

test("a client that opts out has no bodies stored", async () => {
  const { client, far } = await open([], { "x-majordomo-store-bodies": "false" })
  client.send(create())
  await answerNext(far)
  const row = await pipeline.nextRecord()
  expect([row.request_body, row.response_body]).toEqual([undefined, undefined])
})

test("messages that no response took give their memory back at the end of the session", async () => {
  const { client, far } = await open()
  client.send(JSON.stringify({ type: "session.note", text: "x".repeat(10_000) }))
  await nextMessage(far)
  expect(bodies.stats().memoryBytes).toBeGreaterThan(10_000)
  client.close()
  await pipeline.nextRecord()
  expect(bodies.stats().memoryBytes).toBe(0)
})
