import { afterEach, expect, test } from "vitest"
import type WebSocket from "ws"
import type { Caller } from "../../../src/core/call.ts"
import { createFakeLimits } from "../../support/fake-limits.ts"
import { KEY, type Pipeline, startPipeline } from "../../support/pipeline.ts"
import { closed, LIMIT_USED_UP, nextMessage, price } from "./_responses.ts"
import { openPair, type Pair, type SocketProvider, startSocketProvider } from "./_sockets.ts"

const KEY_ID = "00000000-0000-7000-8000-000000000001"

let pipeline: Pipeline
let provider: SocketProvider
afterEach(async () => {
  await provider.close()
  await pipeline.close()
})

type Options = Partial<Parameters<typeof startPipeline>[0]>

async function open(options: Options = {}, headers: Readonly<Record<string, string>> = {}): Promise<Pair> {
  provider = await startSocketProvider()
  pipeline = await startPipeline({ upstream: provider.origin, price, ...options })
  return await openPair(pipeline, provider, { headers })
}

const from = (far: WebSocket, event: object) => far.send(JSON.stringify({ ...event, event_id: "event_1" }))

function openSession(far: WebSocket): void {
  const audio = { input: { transcription: { model: "gpt-4o-mini-transcribe" } } }
  from(far, { type: "session.created", session: { type: "realtime", model: "gpt-realtime-2025-08-28", audio } })
}

test("what transcribes the user's words has a row of its own beside the response", async () => {
  const { far } = await open()
  openSession(far)
  from(far, { type: "response.created", response: { id: "resp_1", conversation_id: "conv_1" } })
  from(far, {
    ...{ type: "conversation.item.input_audio_transcription.completed", item_id: "item_1", content_index: 0 },
    ...{ transcript: "Hello.", usage: { type: "tokens", input_tokens: 30, output_tokens: 5, total_tokens: 35 } },
  })
  const usage = { input_tokens: 200, output_tokens: 40, total_tokens: 240 }
  from(far, { type: "response.done", response: { id: "resp_1", status: "completed", usage } })
  const rows = [await pipeline.nextRecord(), await pipeline.nextRecord()]
  expect(rows.map((row) => [row.model, row.input_tokens, row.output_tokens])).toEqual([
    ["gpt-4o-mini-transcribe", 30, 5],
    [expect.stringMatching(/^gpt-realtime/), 200, 40],
  ])
  expect(new Set(rows.map((row) => row.websocket_id)).size).toBe(1)
})

test("a response that the provider begins by itself and that a limit rejects ends the session, and is not free", async () => {
  const limits = createFakeLimits()
  const { client, far } = await open({ deps: { limits } })
  openSession(far)
  await nextMessage(client)
  limits.decide = () => {
    throw LIMIT_USED_UP
  }
  const ended = closed(client)
  from(far, { type: "response.created", response: { id: "resp_1", conversation_id: "conv_1" } })
  expect(JSON.parse(await nextMessage(client))).toMatchObject({ type: "response.created" })
  expect(JSON.parse(await nextMessage(client))).toMatchObject({ type: "error" })
  const [code, reason] = await ended
  expect([code, reason]).toEqual([1008, expect.stringContaining('"team"')])
  const row = await pipeline.nextRecord()
  expect(row).toMatchObject({ outcome: "shutdown", requested_model: "gpt-realtime" })
  expect(row).toMatchObject({ status_code: 200, usage_source: "estimated", cost_status: "estimated" })
  expect(row.error_message).toContain('"team"')
})

test("a model in the query that the key does not allow is rejected at the handshake", async () => {
  const policy = { expiresAt: undefined, secretEndsAt: undefined, models: ["gpt-5*"], providers: undefined }
  const caller: Caller = { keyId: KEY_ID, policy }
  await expect(open({ findCaller: () => caller })).rejects.toThrow("403")
  expect(await pipeline.nextRecord()).toMatchObject({ outcome: "rejected", requested_model: "gpt-realtime" })
})

test("the provider gets the credential that the gateway holds, and each row has its name", async () => {
  const credential = { id: KEY_ID, kind: "key", secret: "sk-of-the-vault", alias: "team-a" } as const
  const deps = { findCredential: () => credential, listModels: () => ["gpt-realtime"] }
  const { far } = await open({ deps }, { authorization: `Bearer ${KEY}` })
  expect(provider.handshakes[0]!.headers.authorization).toBe("Bearer sk-of-the-vault")
  openSession(far)
  from(far, { type: "response.created", response: { id: "resp_1", conversation_id: "conv_1" } })
  const usage = { input_tokens: 200, output_tokens: 40, total_tokens: 240 }
  from(far, { type: "response.done", response: { id: "resp_1", status: "completed", usage } })
  expect(await pipeline.nextRecord()).toMatchObject({ provider_api_key_alias: "team-a", input_tokens: 200 })
})
