import { readdirSync, readFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { hashKey } from "../../src/core/key.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { startOddUpstream } from "../support/odd-upstream.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"
import { connectRaw } from "../support/raw.ts"
import { exchange, KEY_LINE, nextRecords, request, statusOf } from "./_raw.ts"

let upstream: FakeProvider
let gateway: Pipeline
let asked = 0
beforeAll(async () => {
  upstream = await startFakeProvider()
  gateway = await startPipeline({
    upstream: upstream.origin,
    findCaller: (hash) => {
      asked++
      return hash === hashKey(KEY) ? { keyId: "00000000-0000-7000-8000-000000000001" } : undefined
    },
  })
})
afterAll(async () => {
  await gateway.close()
  await upstream.close()
})

describe("keys", () => {
  test.each([
    "",
    " ",
    "mdm_sk_",
    "mdm_sk_short",
    "MDM_SK_0123456789abcdefghijklmnop",
    "sk-0123456789abcdefghijklmnop",
    "mdm_sk_0123456789abcdef ghijklmnop",
    "mdm_sk_0123456789abcdef\u00e9",
    "mdm_sk_0123456789abcdef'--",
    "mdm_sk_0123456789abcdef;DROP",
    "mdm_sk_0123456789abcdef%00",
    "null",
    "undefined",
    "[object Object]",
    `mdm_sk_${"a".repeat(129)}`,
    `mdm_sk_${"a".repeat(16_000)}`,
    `Bearer ${KEY}`,
    `${KEY},${KEY}`,
    "mdm_sk_../../../../etc/passwd",
    "mdm_sk_\u00f0\u009f\u0098\u0080aaaaaaaaaaaaaaaa",
  ])("[LIM-05] a key with an impossible form causes no database query: %.40s", async (key) => {
    const before = asked
    const text = request().replace(KEY_LINE, `X-Majordomo-Key: ${key}\r\n`)
    expect(statusOf(await exchange(gateway.port, text))).toBe(401)
    expect(asked).toBe(before)
  })

  test.each([
    "/v1/models",
    "//v1/models",
    "/v1/models/",
    "/v1%2fmodels",
    "/V1/models",
    "/health/../v1/models",
    "/health;/v1",
    "/readyz/x",
    "/health/",
    "/%68ealth",
    "/v1/messages",
    "/metrics/",
  ])("[AUT-11] no spelling of a path is accepted without a key: %s", async (path) => {
    const before = upstream.exchanges.length
    const text = request("X-Majordomo-Provider: openai\r\n", { method: "GET", path, body: "" }).replace(KEY_LINE, "")
    expect([400, 401]).toContain(statusOf(await exchange(gateway.port, text)))
    expect(upstream.exchanges.length).toBe(before)
  })

  test("[AUT-10] are looked up by their hash, and the source compares no secrets", () => {
    const gateway = new URL("../../src/gateway/", import.meta.url)
    const source = readdirSync(gateway)
      .filter((name) => name.endsWith(".ts"))
      .map((name) => readFileSync(new URL(name, gateway), "utf8"))
      .join("")
    expect(source).toMatch(/const hash = hash\w+\([^)]*String\(key\)\)[\s\S]*findCaller\(hash\)/)
    expect(source).not.toMatch(/[kK]ey\)? [!=]==? (?!undefined)/)
  })

  test("[AUT-07] that are revoked let a running stream finish; the next request is rejected", async () => {
    let known = true
    const strict = await startPipeline({
      upstream: upstream.origin,
      findCaller: () => (known ? { keyId: "00000000-0000-7000-8000-000000000001" } : undefined),
    })
    let letGo = () => {}
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    upstream.next({ pieces: 4, beforePiece: (index) => (index === 2 ? held : undefined) })
    const client = await connectRaw(strict.port)
    client.send(request("", { body: '{"model":"m","stream":true,"messages":[]}' }))
    await client.until(/data: /)
    known = false
    expect(statusOf(await exchange(strict.port, request()))).toBe(401)
    letGo()
    expect(await client.closed()).toContain("[DONE]")
    expect(await strict.nextRecord()).toMatchObject({ outcome: "complete", status_code: 200 })
    await strict.close()
  })

  test("[LIM-04] thousands of unknown keys affect neither memory nor requests with a valid key", async () => {
    const rss = process.memoryUsage().rss
    const before = gateway.records.length
    const count = 2000
    let next = 0
    const lane = async () => {
      while (next < count) {
        const key = `mdm_sk_unknown_${String(next++).padStart(20, "0")}`
        const text = request("", { method: "GET", path: "/v1/models", body: "" }).replace(KEY, key)
        expect(statusOf(await exchange(gateway.port, text))).toBe(401)
      }
    }
    const flood = Promise.all(Array.from({ length: 50 }, lane))
    expect(statusOf(await exchange(gateway.port, request("", { method: "GET", path: "/v1/models", body: "" })))).toBe(
      200,
    )
    await flood
    await gateway.nextRecord()
    expect(gateway.records.length).toBe(before + 1)
    expect(process.memoryUsage().rss - rss).toBeLessThan(100 * 1024 * 1024)
  })
})

describe("sizes", () => {
  test.each([
    [15, 200],
    [60, 200],
    [70, 431],
  ])("[LIM-01] %i KB of headers: %i", async (kilobytes, status) => {
    const lines = Array.from({ length: kilobytes }, (_, i) => `X-Majordomo-Fill-${i}: ${"a".repeat(1010)}\r\n`).join("")
    expect(
      statusOf(await exchange(gateway.port, request(lines, { method: "GET", path: "/v1/models", body: "" }))),
    ).toBe(status)
    if (status === 200) await gateway.nextRecord()
  })

  test.each([
    `/v1/${"a/".repeat(8000)}`,
    `/${"%2e".repeat(5000)}`,
    `/v1beta/${":".repeat(16_000)}`,
    `/v1/models/${"generateConten".repeat(1000)}`,
  ])("[LIM-10] a path of 16 KB is routed quickly: %.30s", async (path) => {
    const since = process.cpuUsage()
    await exchange(
      gateway.port,
      request("X-Majordomo-Key-Nothing: 1\r\n", { method: "GET", path, body: "" }).replace(KEY_LINE, ""),
    )
    const { user, system } = process.cpuUsage(since)
    // A search whose time grows with the square of the length takes seconds of CPU.
    expect((user + system) / 1e6).toBeLessThan(1)
  })

  test("[DAT-16] the gateway chooses the id of a row, whatever ids a client sends", async () => {
    const same =
      "X-Request-Id: 1\r\nX-Majordomo-Request-Id: 0197a000-0000-7000-8000-000000000009\r\ntraceparent: 00-1-1-00\r\n"
    const text = request(same, { method: "GET", path: "/v1/models", body: "" })
    await Promise.all(Array.from({ length: 50 }, () => exchange(gateway.port, text)))
    const rows = await nextRecords(gateway, 50)
    expect(new Set(rows.map(({ id }) => id)).size).toBe(50)
    expect(rows.map(({ id }) => id)).not.toContain("0197a000-0000-7000-8000-000000000009")
  })
})

describe("timeouts", () => {
  test("[TMO-01] only the gateway's own settings limit the time of a response: no library ends it", async () => {
    upstream.next({ delayMs: 900 })
    expect(statusOf(await exchange(gateway.port, request()))).toBe(200)
    await gateway.nextRecord()
    const strict = await startPipeline({ upstream: upstream.origin, settings: { firstByteTimeoutMs: 500 } })
    upstream.next({ never: true })
    expect(statusOf(await exchange(strict.port, request()))).toBe(504)
    await strict.close()
  })

  test("[TMO-04] request headers that arrive byte by byte end at the gateway's own timeout", async () => {
    const strict = await startPipeline({ upstream: upstream.origin, settings: { readTimeoutMs: 300 } })
    const clients = await Promise.all(Array.from({ length: 100 }, () => connectRaw(strict.port)))
    for (const client of clients)
      client.send(`POST /v1/messages HTTP/1.1\r\nHost: a\r\n${KEY_LINE}Content-Length: 50\r\n\r\n{`)
    for (const client of clients) expect(statusOf(await client.closed())).toBe(408)
    expect(await nextRecords(strict, 100)).toHaveLength(100)
    await strict.close()
  })

  test("[TMO-03] a provider that does not accept the connection fails after upstream.connect_timeout", async () => {
    // TEST-NET-1 (RFC 5737) has no hosts: the connection is dropped, or rejected immediately if there is no route.
    const lost = await startPipeline({ upstream: "http://192.0.2.1:81", settings: { connectTimeoutMs: 300 } })
    expect([502, 504]).toContain(statusOf(await exchange(lost.port, request())))
    await lost.nextRecord()
    await lost.close()
  })

  test("[TMO-07] a timeout that coincides with the last byte gives one response and one row, two hundred times", async () => {
    const close = await startPipeline({
      upstream: upstream.origin,
      settings: { firstByteTimeoutMs: 1000, maxConnections: 64 },
    })
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        exchange(close.port, request(`x-fake-provider: {"delayMs":${900 + i}}\r\n`)),
      ),
    )
    for (const answer of answers) expect([200, 504]).toContain(statusOf(answer))
    expect(answers.map((answer) => answer.split("HTTP/1.1 ").length - 1)).toEqual(answers.map(() => 1))
    const rows = await nextRecords(close, 200)
    expect(new Set(rows.map(({ id }) => id)).size).toBe(200)
    await close.close()
  })
})

describe("connections", () => {
  test("[CON-02] [CON-11] a provider that never responds or breaks off is called once per request, and other providers are not slowed down", async () => {
    const dead = await startOddUpstream((socket, _text, count) => {
      if (count % 2 === 0) socket.destroy()
    })
    const two = await startPipeline({
      upstream: "",
      settings: { maxConnections: 64 },
      providers: {
        openai: { name: "openai", format: "openai", baseUrl: dead.origin },
        anthropic: { name: "anthropic", format: "anthropic", baseUrl: upstream.origin },
        gemini: { name: "gemini", format: "gemini", baseUrl: upstream.origin },
      },
    })
    const lost = Promise.all(Array.from({ length: 40 }, (_, i) => exchange(two.port, request(`X-N: ${i}\r\n`))))
    // This answer would hang if it waited for those of the other provider, which end only when that one closes.
    expect(statusOf(await exchange(two.port, request("", { path: "/v1/messages" })))).toBe(200)
    await expect.poll(() => dead.requests.length).toBe(40)
    await dead.close()
    for (const answer of await lost) expect(statusOf(answer)).toBe(502)
    const numbers = dead.requests.map((text) => /X-N: (\d+)/.exec(text)?.[1])
    expect(new Set(numbers).size).toBe(numbers.length)
    await two.close()
  })

  test("[CON-09] there are at most upstream.max_connections per provider and a quarter more, and further requests wait", async () => {
    const far2 = await startOddUpstream(
      (socket) => void setTimeout(() => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), 20),
    )
    const few = await startPipeline({ upstream: far2.origin, settings: { maxConnections: 4 } })
    const answers = await Promise.all(Array.from({ length: 40 }, () => exchange(few.port, request())))
    for (const answer of answers) expect(statusOf(answer)).toBe(200)
    // A connection is reused one turn of the event loop after its answer, so that one of the reserve may open meanwhile.
    expect(far2.accepted).toBeLessThanOrEqual(5)
    await few.close()
    await far2.close()
  })

  test("[CON-06] an untrusted certificate is rejected, and nothing is sent in plain text", async () => {
    const read = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), "utf8")
    const tls = await startFakeProvider({ tls: { key: read("server.key"), cert: read("server.crt") } })
    const strict = await startPipeline({ upstream: tls.origin })
    const answer = await exchange(strict.port, request())
    expect(statusOf(answer)).toBe(502)
    expect(answer).toContain("certificate")
    expect(tls.exchanges).toEqual([])
    await strict.close()
    await tls.close()
  })

  test("[CON-05] a name that does not resolve affects only its own requests, and is looked up again for the next one", async () => {
    const lost = await startPipeline({ upstream: "http://nowhere.invalid" })
    for (let i = 0; i < 3; i++) expect(statusOf(await exchange(lost.port, request()))).toBe(502)
    expect(await nextRecords(lost, 3)).toHaveLength(3)
    await lost.close()
  })
})
