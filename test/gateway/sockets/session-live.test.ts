import { afterEach, expect, test } from "vitest"
import { type Pipeline, startPipeline } from "../../support/pipeline.ts"
import { collect, price } from "./_responses.ts"
import { connectSocket, type SocketProvider, startSocketProvider } from "./_sockets.ts"

const PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"

let pipeline: Pipeline
let provider: SocketProvider
afterEach(async () => {
  await provider.close()
  await pipeline.close()
})

test("a turn of Gemini Live whose counts never come ends, estimated, when the next one begins", async () => {
  provider = await startSocketProvider()
  pipeline = await startPipeline({ upstream: provider.origin, price })
  const accepted = provider.accepted().then(collect)
  const client = collect(await connectSocket(pipeline, { path: PATH, headers: { "x-goog-api-key": "AIza-a-key" } }))
  const far = await accepted
  const say = (message: object) => far.send(Buffer.from(JSON.stringify(message)))
  client.send(JSON.stringify({ setup: { model: "models/gemini-live-2.5-flash-preview" } }))
  say({ setupComplete: {} })
  say({ serverContent: { modelTurn: { parts: [{ text: "The first answer." }] } } })
  say({ serverContent: { turnComplete: true } })
  say({ serverContent: { modelTurn: { parts: [{ text: "The second one." }] } } })
  const first = await pipeline.nextRecord()
  expect(first).toMatchObject({ outcome: "complete", status_code: 200, usage_source: "estimated", streamed: true })
  expect(first.output_tokens).toBeGreaterThan(0)
  say({
    usageMetadata: { promptTokenCount: 30, responseTokenCount: 4, totalTokenCount: 34 },
    serverContent: { turnComplete: true },
  })
  const second = await pipeline.nextRecord()
  expect(second).toMatchObject({ usage_source: "reported", input_tokens: 30, output_tokens: 4 })
  expect(second.websocket_id).toBe(first.websocket_id)
})
