import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import type { Cost } from "../../src/core/cost.ts"
import { GatewayError } from "../../src/core/errors.ts"
import { toLimitExceeded } from "../../src/core/limit-error.ts"
import type { LogRecord } from "../../src/core/log-record.ts"
import { createFakeLimits } from "../support/fake-limits.ts"
import { type FakeProvider, type Script, startFakeProvider } from "../support/fake-provider.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"
import { connectRaw } from "../support/raw.ts"

let fakeProvider: FakeProvider
let gateway: Pipeline
/** The same with timeouts that some of the requests below exceed. */
let strict: Pipeline
let limits = createFakeLimits()
const errors: unknown[] = []
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
  const options = {
    upstream: fakeProvider.origin,
    deps: {
      limits: {
        get isEmpty() {
          return limits.isEmpty
        },
        reserve: (request) => limits.reserve(request),
        expectedOutput: (keyId, model) => limits.expectedOutput(keyId, model),
      },
      onError: (error: unknown) => void errors.push(error),
    },
  } satisfies Parameters<typeof startPipeline>[0]
  gateway = await startPipeline(options)
  const settings = { firstByteTimeoutMs: 300, idleTimeoutMs: 300, readTimeoutMs: 300 }
  strict = await startPipeline({ ...options, settings })
})
afterEach(() => {
  fakeProvider.reset()
  limits = createFakeLimits()
  errors.length = 0
})
afterAll(async () => {
  await Promise.all([gateway.close(), strict.close()])
  await fakeProvider.close()
})

const ignore = () => ""
const CHAT = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Tell me a story" }] }
const FULL = toLimitExceeded({
  limit: "team",
  measure: "cost",
  window: "month",
  value: "",
  amount: "50",
  used: "49.9",
  reserved: "0",
  wanted: "0.2",
  resetsAt: "2026-12-01T00:00:00Z",
  reason: "used_up",
  retryAfterSeconds: 3600,
})

interface Options {
  readonly path?: string
  readonly signal?: AbortSignal
  readonly pipeline?: Pipeline
}

function post(body: unknown, { path = "/v1/chat/completions", signal, pipeline = gateway }: Options = {}) {
  return fetch(pipeline.origin + path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-majordomo-key": KEY, authorization: "Bearer sk-x" },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  })
}

function settled({ model, input_tokens, output_tokens, total_cost }: LogRecord) {
  const cost = total_cost === undefined ? undefined : Math.ceil(Number(total_cost) * 1e9)
  return { model, inputTokens: input_tokens, outputTokens: output_tokens, cost }
}

describe("a request that limits apply to", () => {
  test("is described by its key, provider, model and metadata, and its row settles its reservation", async () => {
    const answer = await fetch(`${gateway.origin}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-majordomo-key": KEY, "x-majordomo-team": "search" },
      body: JSON.stringify(CHAT),
    })
    await answer.text()
    const row = await gateway.nextRecord()
    const [{ request, ends }] = limits.seen as [(typeof limits.seen)[number]]
    expect(request).toMatchObject({
      id: row.id,
      keyId: row.majordomo_api_key_id,
      provider: "openai",
      requestedModel: "gpt-4o-mini",
      metadata: { Team: "search" },
      isFree: false,
      isSubscribed: false,
    })
    expect(ends).toEqual([settled(row)])
    expect(ends).toMatchObject([{ cost: 300_000 }])
    expect(answer.headers.get("x-majordomo-limit-remaining")).toBe("team=12.34")
  })

  test("that no limit counts gets no header", async () => {
    limits.applies = false
    const answer = await post(CHAT)
    expect(answer.headers.get("x-majordomo-limit-remaining")).toBeNull()
    await gateway.nextRecord()
  })

  test("asks nothing while there is no limit at all", async () => {
    limits.isEmpty = true
    expect((await post(CHAT)).status).toBe(200)
    await gateway.nextRecord()
    expect(limits.seen).toEqual([])
  })

  test("states what is left in the head of a stream, and in an error of the gateway", async () => {
    const stream = await post({ ...CHAT, stream: true })
    expect(stream.headers.get("x-majordomo-limit-remaining")).toBe("team=12.34")
    await stream.text()
    await gateway.nextRecord()
    fakeProvider.next({ breakAfterPieces: 0 })
    const broken = await post(CHAT)
    expect([broken.status, broken.headers.get("x-majordomo-limit-remaining")]).toEqual([502, "team=12.34"])
    await gateway.nextRecord()
  })

  test("that operates a job is not free, although the creation costs nothing by itself", async () => {
    await post({ requests: [] }, { path: "/v1/messages/batches" })
    await fetch(`${gateway.origin}/v1/models`, { headers: { "x-majordomo-key": KEY } })
    await Promise.all([gateway.nextRecord(), gateway.nextRecord()])
    expect(limits.seen.map(({ request }) => request.isFree)).toEqual([false, true])
  })
})

describe("a stream", () => {
  test("extends its reservation as it runs, by what it has generated", async () => {
    // The meter may be 256 KiB behind what has passed.
    fakeProvider.next({ textBytes: 2_000_000, pieces: 400 })
    await (await post({ ...CHAT, stream: true })).text()
    const row = await gateway.nextRecord()
    const { extended, ends } = limits.seen.find(({ request }) => request.id === row.id)!
    const counts = extended.map(({ outputTokens }) => outputTokens)
    expect(counts.length).toBeGreaterThan(5)
    expect(counts).toEqual([...counts].sort((a, b) => a - b))
    expect(counts.at(-1)).toBeGreaterThan(0.7 * row.output_tokens)
    expect(ends).toEqual([settled(row)])
  })
})

describe("a request that a limit rejects", () => {
  test("is not forwarded, and has a row: rejected, free, with the message", async () => {
    limits.decide = () => {
      throw FULL
    }
    const before = fakeProvider.exchanges.length
    const answer = await post(CHAT)
    expect(answer.status).toBe(429)
    expect(await gateway.nextRecord()).toMatchObject({
      outcome: "rejected",
      status_code: 429,
      cost_status: "free",
      total_cost: "0",
      input_tokens: 0,
      requested_model: "gpt-4o-mini",
      error_message: FULL.message,
    })
    expect(fakeProvider.exchanges.length).toBe(before)
    expect(gateway.gateway.unrecordedRequests()).toBe(0)
  })

  test("is rejected alike after it has waited", async () => {
    limits.decide = async () => {
      await Promise.resolve()
      throw FULL
    }
    expect((await post(CHAT)).status).toBe(429)
    expect(await gateway.nextRecord()).toMatchObject({ outcome: "rejected" })
  })

  test("because of a bug in the limits gets 500 and a row, and is not forwarded", async () => {
    limits.decide = () => {
      throw new TypeError("bug")
    }
    const answer = await post(CHAT)
    expect([answer.status, await answer.text()]).toEqual([500, expect.not.stringContaining("bug")])
    expect(await gateway.nextRecord()).toMatchObject({ outcome: "complete", status_code: 500, total_cost: "0.0003" })
    expect(errors).toEqual([new TypeError("bug")])
  })

  test("because its model is not allowed has a row too", async () => {
    limits.decide = () => {
      throw new GatewayError("model_not_allowed", "Use another model.")
    }
    expect((await post(CHAT)).status).toBe(403)
    expect(await gateway.nextRecord()).toMatchObject({ outcome: "rejected", status_code: 403, total_cost: "0" })
  })
})

/** The ways in which a request can end. Each returns when the client's side is over. */
const WAYS: Readonly<Record<string, (isStream: boolean) => Promise<void>>> = {
  complete: (stream) => read(stream, {}),
  "the provider answers with an error": (stream) => read(stream, { status: 500 }),
  "retry without the edit": (stream) => read(stream, { refuseIncludeUsage: true }),
  "the provider breaks off": (stream) => read(stream, { breakAfterPieces: 1, pieces: 5 }),
  "the provider breaks off before its head": (stream) => read(stream, { breakAfterPieces: 0 }),
  "the provider hangs": (stream) => read(stream, { hangAfterPieces: 1, pieces: 5 }),
  "the provider never answers": (stream) => read(stream, { never: true }),
  "an interrupted, compressed answer": (stream) => read(stream, { encoding: "gzip", breakAfterPieces: 1, pieces: 5 }),
  "the client leaves before the answer": (stream) => leave(stream, { never: true }, 0),
  "the client leaves in the middle": (stream) => leave(stream, { hangAfterPieces: 2, pieces: 9 }, 1),
  "the client leaves while the limits wait": async (stream) => {
    const abort = new AbortController()
    let wake = () => {}
    limits.decide = () => new Promise<void>((resolve) => (wake = resolve)).then(() => new Promise(setImmediate))
    const answer = post({ ...CHAT, stream }, { signal: abort.signal, pipeline: strict }).catch(ignore)
    while (strict.gateway.unrecordedRequests() === 0) await new Promise(setImmediate)
    abort.abort()
    await answer
    while (strict.gateway.openRequests() > 0) await new Promise(setImmediate)
    wake()
  },
  "the body does not arrive": async () => {
    const client = await connectRaw(strict.port)
    client.send(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Majordomo-Key: ${KEY}\r\nContent-Length: 50\r\n\r\n{"model"`,
    )
    await client.closed()
  },
}

async function read(stream: boolean, script: Script): Promise<void> {
  fakeProvider.next(script)
  // A collected answer that breaks off has no head.
  await post({ ...CHAT, stream }, { pipeline: strict })
    .then((answer) => answer.text(), ignore)
    .catch(ignore)
}

async function leave(stream: boolean, script: Script, pieces: number): Promise<void> {
  fakeProvider.next(script)
  const abort = new AbortController()
  const answer = post({ ...CHAT, stream }, { signal: abort.signal, pipeline: strict })
  answer.catch(ignore)
  await fakeProvider.nextRequest()
  if (pieces > 0 && stream) await (await answer).body?.getReader().read()
  abort.abort()
}

describe("however a request ends", () => {
  test.each(
    Object.entries(WAYS).flatMap(([name, way]) => [
      { name, stream: false, way },
      { name, stream: true, way },
    ]),
  )(
    "$name (stream: $stream): its reservation is settled once, with what its row has",
    async ({ way, name, stream }) => {
      const done = strict.nextRecord()
      await way(stream)
      const row = await done
      const isUnread = name === "the body does not arrive"
      expect(limits.seen.map(({ ends }) => ends)).toEqual(isUnread ? [] : [[settled(row)]])
      expect(errors).toEqual([])
    },
  )

  test("many at once: each is settled once, in any order", async () => {
    const before = strict.records.length
    const names = Object.keys(WAYS).filter((name) => !/leaves|arrive/.test(name))
    const running = Array.from({ length: 40 }, (_, i) => WAYS[names[(i * 7) % names.length]!]!(i % 3 === 0))
    await Promise.all(running)
    // On a busy machine, a request can be written to a connection that an earlier test has just broken, and never arrives.
    await expect.poll(() => strict.gateway.unrecordedRequests()).toBe(0)
    const rows = strict.records.slice(before)
    expect(rows.length).toBeGreaterThan(running.length / 2)
    await Promise.all(rows.map(() => strict.nextRecord()))
    const byId = new Map(limits.seen.map(({ request, ends }) => [request.id, ends]))
    expect(byId.size).toBe(rows.length)
    for (const row of rows) expect(byId.get(row.id)).toEqual([settled(row)])
  })

  test("without a row, it is released", async () => {
    const failing = await startPipeline({
      upstream: fakeProvider.origin,
      deps: { limits, onError: () => {}, price: () => null as unknown as Cost },
    })
    const answer = await fetch(`${failing.origin}/v1/chat/completions`, {
      method: "POST",
      headers: { "x-majordomo-key": KEY },
      body: JSON.stringify(CHAT),
    })
    expect(answer.status).toBe(200)
    expect(limits.seen.map(({ ends }) => ends)).toEqual([["released"]])
    await failing.close()
  })

  test("it is settled when the row is given to the ledger, before the ledger can drop it", async () => {
    const seen: number[] = []
    const dropping = await startPipeline({
      upstream: fakeProvider.origin,
      deps: { limits },
      ledger: {
        append(_, onStored) {
          seen.push(limits.seen[0]!.ends.length)
          onStored?.()
        },
      },
    })
    await fetch(`${dropping.origin}/v1/chat/completions`, {
      method: "POST",
      headers: { "x-majordomo-key": KEY },
      body: JSON.stringify(CHAT),
    })
    expect(seen).toEqual([1])
    await dropping.close()
  })

  test("a shutdown that aborts it settles it", async () => {
    const stopping = await startPipeline({ upstream: fakeProvider.origin, deps: { limits } })
    fakeProvider.next({ never: true })
    const client = await connectRaw(stopping.port)
    const body = JSON.stringify(CHAT)
    const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Majordomo-Key: ${KEY}\r\nContent-Length: ${body.length}`
    client.send(`${head}\r\n\r\n${body}`)
    await fakeProvider.nextRequest()
    stopping.gateway.abortRunning()
    client.close()
    const row = await stopping.nextRecord()
    expect(row.outcome).toBe("shutdown")
    expect(limits.seen.map(({ ends }) => ends)).toEqual([[settled(row)]])
    await stopping.close()
  })
})
