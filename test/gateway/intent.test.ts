import { afterAll, beforeAll, expect, test } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"

let fakeProvider: FakeProvider
let gateway: Pipeline
const kept: (() => void)[] = []

beforeAll(async () => {
  fakeProvider = await startFakeProvider()
  const recordIntent = (_: unknown, onKept: () => void) => void kept.push(onKept)
  gateway = await startPipeline({ upstream: fakeProvider.origin, ledger: { recordIntent } })
})
afterAll(async () => {
  await gateway.close()
  await fakeProvider.close()
})

const ask = (signal?: AbortSignal) =>
  fetch(`${gateway.origin}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-majordomo-key": KEY },
    body: '{"model":"gpt-4o","messages":[]}',
    signal: signal ?? null,
  })

test("a provider gets a request only when a kill of the gateway can no longer lose it", async () => {
  const answer = ask()
  await expect.poll(() => kept.length).toBe(1)
  // Whatever had been sent by now would arrive before this round trip of another connection is over.
  await fetch(`${fakeProvider.origin}/v1/models`)
  expect(fakeProvider.exchanges.map(({ url }) => url)).toEqual(["/v1/models"])
  kept.pop()!()
  expect((await answer).status).toBe(200)
  expect(await gateway.nextRecord()).toMatchObject({ status_code: 200 })
})

test("the request of a client that leaves before that is never sent", async () => {
  const before = fakeProvider.exchanges.length
  const controller = new AbortController()
  const left = ask(controller.signal).catch(() => "left")
  await expect.poll(() => kept.length).toBe(1)
  controller.abort()
  expect(await left).toBe("left")
  const row = await gateway.nextRecord()
  expect([row.status_code, row.outcome]).toEqual([499, "client_left"])
  kept.pop()!()
  await fetch(`${fakeProvider.origin}/v1/models`)
  expect(fakeProvider.exchanges.length).toBe(before + 1)
})
