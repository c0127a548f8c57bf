import { readdirSync } from "node:fs"
import { gunzipSync } from "node:zlib"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { type BodyColumns, type BodyOptions, type BodyStore, openBodyStore } from "../../src/bodies/index.ts"
import { createBodyReader } from "../../src/bodies/read.ts"
import { bodyStoreContract } from "../contract/body-store.ts"
import { type S3Server, startS3 } from "../support/s3.ts"
import { isThorough } from "../support/thorough.ts"
import { answerHead, CALLER, makeCall, makeOptions, parseObject } from "./_bodies.ts"
import { drain } from "./_drain.ts"

let s3: S3Server
const open: { close(): Promise<void> }[] = []
const watched: { level: string; line: string }[][] = []

beforeAll(async () => {
  s3 = await startS3()
})
afterEach(async () => {
  s3.fault = undefined
  s3.clockAheadMs = 0
  for (const store of open.splice(0)) await store.close()
  watched.length = 0
})
afterAll(() => s3.close())

async function openStore(given: Partial<BodyOptions> = {}) {
  const made = makeOptions({ endpoint: s3.endpoint, ...given })
  const store = await openBodyStore(made.options)
  open.push(store)
  return { store, ...made }
}

function keepOne(store: BodyStore, answer = '{"ok":true}'): { readonly id: string; readonly key: string | undefined } {
  const call = makeCall()
  const capture = store.open(call, CALLER)!
  capture.push(Buffer.from(answer))
  return { id: call.id, key: capture.finish(answerHead("application/json")).s3_key }
}

function keysInS3(): Set<string> {
  return new Set(s3.puts.map(({ key }) => key))
}

describe("bodies in S3", () => {
  bodyStoreContract(async (given) => {
    const { store, options } = await openStore(given)
    const reader = createBodyReader(options.s3)
    open.push(reader)
    return {
      store,
      async read(id: string, columns: BodyColumns) {
        await drain(store)
        return reader.read({ id, request_body: undefined, response_body: undefined, s3_key: columns.s3_key })
      },
    }
  })

  test("[SEC-07] [S3F-07] the object has the documented key, headers and shape", async () => {
    const { store } = await openStore()
    const call = makeCall({
      path: "/v1/chat/completions",
      query: "?a=1&key=AIzaSecret&b=2",
      body: Buffer.from('{"model": "m"}'),
    })
    const capture = store.open(call, CALLER)!
    capture.push(Buffer.from('{"id": 7}'))
    const { s3_key } = capture.finish(answerHead("application/json", ["X-Request-Id", "r1"]))
    expect(s3_key).toBe(`0199aaaa-bbbb-7c/2026-11-21/${call.id}.json.gz`)
    await drain(store)
    const put = s3.puts.find(({ key }) => key === s3_key)!
    expect(put.headers).toMatchObject({ "content-type": "application/json", "content-encoding": "gzip" })
    expect(gunzipSync(put.body).toString()).toBe(
      `{"request_id":"${call.id}","timestamp":"2026-11-21T15:30:00.000Z",` +
        `"request":{"method":"POST","path":"/v1/chat/completions?a=1&b=2","headers":{"Content-Type":"application/json"},"body":{"model": "m"}},` +
        `"response":{"status_code":200,"headers":{"Content-Type":"application/json","X-Request-Id":"r1"},"body":{"id": 7}}}`,
    )
  })

  test("[SEC-06] [SEC-01] no credential is in an object, a file of the spool, a row or a log line, wherever the client put it", async () => {
    const dir = makeOptions().options.dir
    s3.fault = { status: 503, code: "SlowDown" }
    const { store, logged } = await openStore({ dir })
    const secret = (name: string) => `canary-${name}-0123456789`
    const names = [
      "Authorization",
      "x-api-key",
      "X-Goog-Api-Key",
      "Cookie",
      "Proxy-Authorization",
      "X-Majordomo-Key",
      "api-key",
      "Ocp-Apim-Subscription-Key",
      "X-Amz-Security-Token",
      "X-Auth-Token",
      "X-Client-Secret",
    ]
    const raw = names.flatMap((name) => [name, name === "Authorization" ? `Bearer ${secret(name)}` : secret(name)])
    raw.push(
      "X-Odd",
      "Bearer canary-odd-0123456789",
      "X-Harmless",
      "kept",
      "X-Majordomo-User-Id",
      "u1",
      "X-Token",
      "Basic Y2FuYXJ5LWJhc2lj",
    )
    const query = "?alt=sse&key=canary-q1-0123&k%65y=canary-q2-0123&api_key=canary-q3-0123&access_token=canary-q4-0123"
    const call = makeCall({ raw, query })
    const capture = store.open(call, CALLER)!
    // Some providers repeat the key in their error.
    capture.push(Buffer.from(`{"error":"bad key ${secret("x-api-key")} or canary-q2-0123"}`))
    const head = answerHead("application/json", ["Set-Cookie", "canary-session"])
    const columns = capture.finish({ ...head, statusCode: 401 })
    const { readFileSync } = await import("node:fs")
    const spooled = readdirSync(dir).map((name) => readFileSync(`${dir}/${name}`, "latin1"))
    expect(spooled.join("")).toContain("X-Harmless")
    s3.fault = undefined
    await drain(store)
    const object = gunzipSync(s3.puts.find(({ key }) => key === columns.s3_key)!.body).toString()
    for (const text of [object, ...spooled, JSON.stringify(columns), JSON.stringify(logged)]) {
      expect(text).not.toMatch(/canary|Y2FuYXJ5/i)
    }
    expect(parseObject(s3.puts.at(-1)!.body).request).toMatchObject({
      path: "/v1/chat/completions?alt=sse",
      headers: { "X-Harmless": "kept", "X-Majordomo-User-Id": "u1" },
    })
  })

  test("the gateway's own credential is in no stored answer, whatever its status and wherever the provider repeats it", async () => {
    const { store } = await openStore()
    const supplied = ["canary-of-the-vault"]
    const capture = store.open(makeCall(), CALLER)!
    capture.push(Buffer.from('{"echo":"canary-of-the-vault"}'))
    const { s3_key } = capture.finish(answerHead("application/json", ["X-Echo", "key canary-of-the-vault"], supplied))
    await drain(store)
    const { response } = parseObject(s3.puts.find(({ key }) => key === s3_key)!.body)
    expect([response.headers["X-Echo"], JSON.stringify(response)]).toEqual([
      "key [removed]",
      expect.not.stringContaining("canary"),
    ])
  })

  test("headers that rules name are redacted, in request and response", async () => {
    const { store } = await openStore({ redact: ["header:x-customer"] })
    const capture = store.open(makeCall({ raw: ["X-Customer", "ACME"] }), CALLER)!
    const { s3_key } = capture.finish(answerHead("text/plain", ["x-customer", "ACME"]))
    await drain(store)
    const object = parseObject(s3.puts.find(({ key }) => key === s3_key)!.body)
    expect([object.request.headers, object.response.headers["x-customer"]]).toEqual([
      { "X-Customer": "[redacted]" },
      "[redacted]",
    ])
  })

  test.each([
    [["$.a[b]"], "cannot read"],
    [["model"], "expected a JSON path"],
  ])("the rule %j is rejected at start", async (redact, message) => {
    await expect(openStore({ redact })).rejects.toThrow(message)
  })

  test("half a pair of keys, or no bucket, is rejected at start", async () => {
    const { options } = makeOptions()
    await expect(openStore({ s3: { ...options.s3, secretAccessKey: undefined } })).rejects.toThrow(
      "s3.secret_access_key: missing",
    )
    await expect(openStore({ s3: { ...options.s3, bucket: undefined } })).rejects.toThrow("s3.bucket")
  })

  test("a large body is uploaded whole, and so are many small ones", async () => {
    const { store } = await openStore()
    const large = JSON.stringify({ text: "x€".repeat(700_000) })
    const { key } = keepOne(store, large)
    const count = isThorough ? 1000 : 200
    const small = Array.from({ length: count }, (_, i) => keepOne(store, `{"n":${i}}`))
    await drain(store)
    const objects = new Map(s3.puts.map(({ key, body }) => [key, body]))
    expect(gunzipSync(objects.get(key!)!).includes(large)).toBe(true)
    expect(small.map(({ key }) => parseObject(objects.get(key!)!).response.body.n)).toEqual(small.map((_, i) => i))
    const all = { kept: count + 1, uploaded: count + 1 }
    expect(store.stats()).toMatchObject({ ...all, waiting: 0, dropped: 0, lost: 0, memoryBytes: 0 })
  })

  test("[LIM-09] captures beyond the memory budget are truncated, marked and counted, and release their memory", async () => {
    const { store } = await openStore({ budgetBytes: 10_000 })
    const streams = Array.from({ length: 5 }, () => {
      const call = makeCall({ body: Buffer.alloc(0) })
      return store.open(call, CALLER)!
    })
    for (let i = 0; i < 100; i++) for (const stream of streams) stream.push(Buffer.from("€".repeat(20)))
    expect(store.stats().memoryBytes).toBeLessThanOrEqual(10_000)
    const keys = streams.map((stream) => stream.finish(answerHead("text/event-stream")).s3_key)
    await drain(store)
    const parts = keys.map((key) => parseObject(s3.puts.find((put) => put.key === key)!.body).response)
    expect(parts.every((part) => part.body_truncated === true && part.body_bytes === 6000)).toBe(true)
    expect(parts.every((part) => /^€+$/.test(part.body))).toBe(true)
    expect(store.stats()).toMatchObject({ truncated: 5, memoryBytes: 0 })
  })

  test("bodies without room on the disk are dropped, counted and logged once, and their rows have no key", async () => {
    s3.fault = { status: 503, code: "SlowDown" }
    const { store, logged } = await openStore({ maxDiskBytes: 20_000 })
    const kept = Array.from({ length: 100 }, () => keepOne(store))
    const withKey = kept.filter(({ key }) => key !== undefined)
    expect(withKey.length).toBeGreaterThan(10)
    expect(store.stats()).toMatchObject({ kept: withKey.length, dropped: 100 - withKey.length })
    expect(logged.filter(({ line }) => line.includes("bytes of disk"))).toHaveLength(1)
    s3.fault = undefined
    await drain(store)
    for (const { key } of withKey) expect(keysInS3().has(key!)).toBe(true)
    expect(keepOne(store).key).toBeDefined()
  })

  test.each([
    ["S3 asks for fewer requests", { status: 503, code: "SlowDown" }, /fewer requests/],
    ["an internal error of S3", { status: 500, code: "InternalError" }, /answers 500/],
    ["an answer that is not XML", { garbage: "<<<\u0000not xml" }, /bodies cannot be stored/],
    ["no rights", { status: 403, code: "AccessDenied" }, /s3:PutObject/],
    ["no such bucket", { status: 404, code: "NoSuchBucket" }, /s3\.bucket/],
    ["a bucket in another region", { status: 301, code: "PermanentRedirect" }, /s3\.region/],
    ["[S3F-05] expired credentials", { status: 400, code: "ExpiredToken" }, /expired/],
  ] as const)(
    "%s: it is logged once, nothing is lost, and everything is stored when it is over",
    async (_what, fault, line) => {
      s3.fault = fault
      const { store, logged, waitForLine } = await openStore()
      const kept = Array.from({ length: 60 }, () => keepOne(store))
      await waitForLine(line)
      expect(store.stats()).toMatchObject({ kept: 60, uploaded: 0, waiting: 60 })
      s3.fault = undefined
      await waitForLine(/stored again/)
      await drain(store)
      for (const { key } of kept) expect(keysInS3().has(key!)).toBe(true)
      expect(logged.filter(({ level }) => level !== "info")).toHaveLength(1)
    },
  )

  test("the same holds for an S3 that accepts connections and never answers", async () => {
    s3.fault = { blackhole: true }
    // An attempt must succeed within its time also on a busy machine, as soon as S3 answers.
    const timing = { minMs: 20, maxMs: 50, lastingMs: 50, attemptMs: 4000 }
    const { store, waitForLine } = await openStore({ timing })
    const kept = Array.from({ length: 5 }, () => keepOne(store))
    await waitForLine(/did not answer in time/)
    s3.fault = undefined
    await drain(store)
    for (const { key } of kept) expect(keysInS3().has(key!)).toBe(true)
  })

  test("[S3F-01] the same holds for refused connections", async () => {
    await s3.down()
    const { store, waitForLine } = await openStore()
    const kept = Array.from({ length: 60 }, () => keepOne(store))
    await waitForLine(/refuses connections/)
    await s3.up()
    await drain(store)
    for (const { key } of kept) expect(keysInS3().has(key!)).toBe(true)
  })

  test("a wrong clock is logged, and corrected by the SDK at the next attempt", async () => {
    s3.clockAheadMs = 3_600_000
    const { store, waitForLine } = await openStore()
    const { key } = keepOne(store)
    await waitForLine(/clock/)
    s3.clockAheadMs = 0
    await drain(store)
    expect(keysInS3().has(key!)).toBe(true)
  })

  test.each([
    ["region", { region: "us-west-2" }, /s3\.region/],
    ["secret key", { secretAccessKey: "wrong" }, /s3\.secret_access_key/],
    ["access key", { accessKeyId: "AKIAWRONG" }, /s3\.access_key_id/],
    ["bucket", { bucket: "not-there" }, /s3\.bucket/],
  ])("a wrong %s in the settings is named, without a secret", async (_what, wrong, line) => {
    const { options } = makeOptions()
    const { store, logged, waitForLine } = await openStore({ s3: { ...options.s3, endpoint: s3.endpoint, ...wrong } })
    keepOne(store)
    await waitForLine(line)
    expect(JSON.stringify(logged)).not.toMatch(/AKIA|wrong|127\.0\.0\.1/)
  })

  test("[S3F-02] one object that S3 rejects is given up, and its row is corrected; its neighbors are stored", async () => {
    const cleared: string[] = []
    const { store, waitForLine } = await openStore({
      clearKeys: async (ids) => {
        cleared.push(...ids)
        return ids
      },
    })
    const { id } = keepOne(store)
    s3.fault = (key) => (key.includes(id) ? { status: 400, code: "InvalidArgument" } : undefined)
    let others = 0
    const stored = setInterval(() => others++ < 500 && keepOne(store), 5)
    await waitForLine(/given up/)
    clearInterval(stored)
    s3.fault = undefined
    await drain(store)
    expect(store.stats().lost).toBe(1)
    await expect.poll(() => cleared).toEqual([id])
  })

  test("[S3F-03] [S3F-08] slow uploads delay no request", async () => {
    s3.fault = { slowMs: 300 }
    const { store } = await openStore()
    for (let i = 0; i < 200; i++) keepOne(store)
    // Nothing was uploaded before the last one was kept.
    expect(store.stats()).toMatchObject({ kept: 200, uploaded: 0 })
    s3.fault = undefined
    await drain(store)
  })

  test("what waits at the end is stored by the next process; an idle store leaves no file", async () => {
    s3.fault = { status: 503, code: "SlowDown" }
    const first = await openStore()
    const kept = Array.from({ length: 40 }, () => keepOne(first.store))
    const large = keepOne(first.store, JSON.stringify("x".repeat(400_000)))
    await first.store.drain(10)
    await first.store.close()
    s3.fault = undefined
    const second = await openStore({ dir: first.options.dir })
    expect(second.store.stats()).toMatchObject({ kept: 41, waiting: 41 })
    await drain(second.store)
    for (const { key } of [...kept, large]) expect(keysInS3().has(key!)).toBe(true)
    await second.store.close()
    expect(readdirSync(first.options.dir)).toEqual([])
  })

  test("a body that is not in S3 has an error of its own", async () => {
    const { options } = makeOptions({ endpoint: s3.endpoint })
    const reader = createBodyReader(options.s3)
    open.push(reader)
    const row = { id: "the-request", request_body: undefined, response_body: undefined, s3_key: "not/there.json.gz" }
    await expect(reader.read(row)).rejects.toThrow("the bodies of the-request are not in S3")
  })
})
