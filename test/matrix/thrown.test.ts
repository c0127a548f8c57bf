import { afterAll, beforeAll, expect, test } from "vitest"
import type { LogRecord } from "../../src/core/log-record.ts"
import type { Deps } from "../../src/gateway/deps.ts"
import type { Dialect } from "../../src/providers/_dialect.ts"
import type { Meter } from "../../src/providers/_meter.ts"
import { DIALECTS } from "../../src/providers/catalog.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { startPipeline } from "../support/pipeline.ts"
import { exchange, request, statusOf } from "./_raw.ts"

let far: FakeProvider
beforeAll(async () => {
  far = await startFakeProvider()
})
afterAll(() => far.close())

const bug = (): never => {
  throw new Error("a bug")
}
const { openai } = DIALECTS

/** OpenAI's dialect with a bug. */
function withBug(changes: Partial<Dialect>): Partial<Deps> {
  return { dialects: { ...DIALECTS, openai: { ...openai, ...changes } } }
}

function withMeterBug(changes: Partial<Meter>): Partial<Deps> {
  return withBug({
    createMeter: (...given) => {
      const meter = openai.createMeter(...given)!
      return { push: (bytes) => meter.push(bytes), end: (how) => meter.end(how), ...changes }
    },
  })
}

const CAPTURE = { push: () => {}, restart: () => {}, finish: () => ({}) }

interface Place {
  readonly where: string
  readonly deps?: Partial<Deps>
  readonly ledger?: Partial<Deps["ledger"]>
  readonly status: 200 | 500 | 503
}

const PLACES: readonly Place[] = [
  { where: "the look-up of a key", deps: { findCaller: bug }, status: 503 },
  { where: "the look-up of a key, later", deps: { findCaller: async () => bug() }, status: 503 },
  { where: "whether the journal is full", ledger: { isFull: bug }, status: 500 },
  { where: "preparing the request", deps: withBug({ prepare: bug }), status: 500 },
  { where: "opening the bodies", deps: { openBodies: bug }, status: 200 },
  { where: "keeping a piece of the body", deps: { openBodies: () => ({ ...CAPTURE, push: bug }) }, status: 200 },
  { where: "the end of the bodies", deps: { openBodies: () => ({ ...CAPTURE, finish: bug }) }, status: 200 },
  { where: "announcing the row", ledger: { recordIntent: bug }, status: 200 },
  { where: "the credential's hash", deps: withBug({ readCredential: bug }), status: 200 },
  { where: "making the meter", deps: withBug({ createMeter: bug }), status: 200 },
  { where: "the framing of the answer", deps: withBug({ framing: bug }), status: 200 },
  { where: "metering a piece", deps: withMeterBug({ push: bug }), status: 200 },
  { where: "the meter's end", deps: withMeterBug({ end: bug }), status: 200 },
  { where: "whether the answer is free", deps: withBug({ createMeter: () => undefined, isFree: bug }), status: 200 },
  { where: "the price", deps: { price: bug }, status: 200 },
]

const CHAT = '{"model":"gpt-4o-mini","messages":[]}'
const STREAM = '{"model":"gpt-4o-mini","stream":true,"messages":[]}'

const KINDS = [
  ["whole", CHAT, /"choices"/],
  ["stream", STREAM, /\[DONE\]/],
] as const
const ALL = PLACES.flatMap((place) => KINDS.map(([kind, body, whole]) => ({ ...place, kind, body, whole })))

test.each(ALL)(
  "[SHU-08] a bug in $where ($kind) loses at most that part or rejects the request; it is reported, and the next request succeeds",
  async (given) => {
    const records: LogRecord[] = []
    const told: unknown[] = []
    const gateway = await startPipeline({
      upstream: far.origin,
      ledger: {
        append: (record, onStored) => {
          records.push(record)
          onStored?.()
        },
        ...given.ledger,
      },
      deps: {
        ...given.deps,
        onError: (error) => void told.push(error),
      },
    })
    for (let i = 0; i < 2; i++) {
      const answer = await exchange(gateway.port, request("Authorization: Bearer sk-1\r\n", { body: given.body }))
      expect(statusOf(answer)).toBe(given.status)
      if (given.status === 200) expect(answer).toMatch(given.whole)
      else expect(answer).not.toContain("a bug")
    }
    await expect.poll(() => gateway.gateway.openRequests()).toBe(0)
    await expect.poll(() => gateway.gateway.unrecordedRequests()).toBe(0)
    expect(records.map(({ status_code, outcome }) => `${status_code} ${outcome}`)).toEqual(
      given.status === 200 ? ["200 complete", "200 complete"] : [],
    )
    if (given.status !== 503) expect(told.length).toBeGreaterThanOrEqual(2)
    await gateway.close()
  },
)

test("[SHU-08] a bug in reading a provider's error leaves the response and the row, without the error message", async () => {
  const gateway = await startPipeline({
    upstream: far.origin,
    deps: { ...withBug({ readErrorMessage: bug }), onError: () => {} },
  })
  far.next({ status: 429, body: '{"error":{"message":"slow down"}}' })
  const answer = await exchange(gateway.port, request())
  expect(statusOf(answer)).toBe(429)
  expect(answer).toContain("slow down")
  expect(await gateway.nextRecord()).toMatchObject({ status_code: 429, error_message: undefined })
  await gateway.close()
})

test("[SHU-08] if the tokenizer fails, an interrupted stream still has its row", async () => {
  const told: unknown[] = []
  const gateway = await startPipeline({
    upstream: far.origin,
    countText: async () => bug(),
    deps: { onError: (error) => void told.push(error) },
  })
  far.next({ pieces: 20, breakAfterPieces: 10, usage: false })
  await exchange(gateway.port, request("", { body: STREAM }))
  expect(await gateway.nextRecord()).toMatchObject({ outcome: "upstream_broke" })
  expect(told.length).toBe(1)
  await gateway.close()
})
