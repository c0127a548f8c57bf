import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { headLines, type OddUpstream, OK, startOddUpstream } from "../support/odd-upstream.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"
import { BODY, exchange, KEY_LINE, request, statusOf } from "./_raw.ts"

let upstream: OddUpstream
let gateway: Pipeline
let answer = OK
beforeAll(async () => {
  upstream = await startOddUpstream((socket) => socket.write(Buffer.from(answer, "latin1")))
  gateway = await startPipeline({ upstream: upstream.origin })
})
afterEach(() => {
  answer = OK
})
afterAll(async () => {
  await gateway.close()
  await upstream.close()
})

/** Returns the header lines that the provider received. */
async function forwarded(text: string): Promise<string[]> {
  expect(statusOf(await exchange(gateway.port, text))).toBe(200)
  await gateway.nextRecord()
  return headLines(upstream.requests.at(-1)!)
}

const names = (lines: readonly string[]) => lines.map((line) => line.split(":")[0]!.toLowerCase())

describe("towards the provider", () => {
  test("[HDR-01] no hop-by-hop header is forwarded, TE only as exactly `trailers`; Trailers (plural) is an ordinary header", async () => {
    const lines = await forwarded(
      request(
        "Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nProxy-Authenticate: Basic\r\nProxy-Authorization: Basic eA==\r\n" +
          "TE: gzip\r\nTE: trailers\r\nTE: trailers, deflate\r\nTrailer: Expires\r\nUpgrade: h2c\r\nTrailers: kept\r\n",
      ),
    )
    expect(lines.filter((line) => /^te:/i.test(line))).toEqual(["TE: trailers"])
    expect(lines).toContain("Trailers: kept")
    const hops =
      /^(keep-alive|proxy-connection|proxy-authenticate|proxy-authorization|trailer|transfer-encoding|upgrade)$/
    expect(names(lines).filter((name) => hops.test(name))).toEqual([])
    expect(lines.filter((line) => /^connection:/i.test(line))).toEqual(["connection: keep-alive"])
  })

  test.each([
    ["one list", "Connection: close, X-A, x-b\r\n"],
    ["any case", "CONNECTION: Close, x-a, X-B\r\n"],
    ["several lines", "Connection: close\r\nConnection: X-A\r\nconnection: x-b\r\n"],
    ["empty tokens", "Connection: ,,close,,X-A,,x-b,,\r\n"],
    ["no spaces", "Connection: close,X-A,x-b\r\n"],
    ["tabs and spaces", "Connection: close ,\tX-A ,  x-b\t\r\n"],
    ["the same name twice", "Connection: close, X-A, X-A, x-b\r\n"],
    ["a name that does not occur", "Connection: close, X-A, X-None, x-b\r\n"],
  ])("[HDR-02] headers named in Connection are not forwarded: %s", async (_, connection) => {
    const lines = await forwarded(request(`${connection}X-A: 1\r\nx-b: 2\r\nX-C: 3\r\n`, { close: false }))
    expect(lines).toContain("X-C: 3")
    expect(names(lines).filter((name) => name === "x-a" || name === "x-b")).toEqual([])
  })

  test("[HDR-06] no X-Majordomo header is forwarded, with any case and any suffix", async () => {
    const lines = await forwarded(
      request(
        "X-MAJORDOMO-FEATURE: a\r\nx-majordomo-: b\r\nX-majordomo-Unknown-Ending: c\r\nX-Majordomo-Provider: openai\r\n",
      ),
    )
    expect(lines.filter((line) => /majordomo/i.test(line))).toEqual([])
    expect(upstream.received.join("")).not.toContain(KEY)
  })

  test.each(["X_Majordomo_Key", "X-Majordomo_Key", "X_Majordomo-Key", "X-Majordomo-Key_", "XMajordomoKey"])(
    "[HDR-07] %s is not the key header and gives 401",
    async (name) => {
      const text = request(`${name}: ${KEY}\r\n`).replace(KEY_LINE, "")
      const before = upstream.accepted
      expect(statusOf(await exchange(gateway.port, text))).toBe(401)
      expect(upstream.accepted).toBe(before)
    },
  )

  test("[HDR-07] header names with underscores are not metadata and are forwarded like any other header", async () => {
    await exchange(gateway.port, request("X_Majordomo_User: a\r\nX-Majordomo_Team: b\r\n"))
    expect((await gateway.nextRecord()).raw_metadata).toBeUndefined()
    const lines = headLines(upstream.requests.at(-1)!)
    expect(lines).toEqual(expect.arrayContaining(["X_Majordomo_User: a", "X-Majordomo_Team: b"]))
  })

  test("[HDR-09] names with a meaning in JavaScript are ordinary headers and metadata", async () => {
    const odd = ["__proto__", "constructor", "prototype", "hasOwnProperty", "toString"]
    const lines = odd.map((name) => `${name}: polluted\r\nX-Majordomo-${name}: polluted\r\n`).join("")
    expect(statusOf(await exchange(gateway.port, request(lines)))).toBe(200)
    const { raw_metadata } = await gateway.nextRecord()
    expect(Object.keys(raw_metadata ?? {}).sort()).toEqual([
      "Constructor",
      "Hasownproperty",
      "Prototype",
      "Tostring",
      "__proto__",
    ])
    expect(headLines(upstream.requests.at(-1)!)).toEqual(expect.arrayContaining(odd.map((name) => `${name}: polluted`)))
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined()
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain("polluted")
  })

  test("[HDR-11] header names keep their case and order, and values keep their bytes", async () => {
    const value = "caf\xe9 \xe2\x82\xac \t tail"
    const lines = await forwarded(request(`X-zULU: 1\r\nx-Alpha: ${value}\r\nX-zULU: 2\r\n`))
    expect(lines.filter((line) => /^x-(zulu|alpha)/i.test(line))).toEqual([
      "X-zULU: 1",
      `x-Alpha: ${value}`,
      "X-zULU: 2",
    ])
  })

  test.each(["evil.example", "a/#", "x/?", "127.0.0.1:1", "user@evil.example", "[::1]", ""])(
    "[HDR-12] the client's Host %j has no effect: the provider gets its own",
    async (host) => {
      const lines = await forwarded(request().replace("Host: gateway", `Host: ${host}`))
      expect(lines.filter((line) => /^host:/i.test(line))).toEqual([`host: 127.0.0.1:${upstream.port}`])
    },
  )

  test("[HDR-16] User-Agent is the client's, or absent", async () => {
    expect(names(await forwarded(request()))).not.toContain("user-agent")
    expect(await forwarded(request("User-Agent: my app/1 (x)\r\n"))).toContain("User-Agent: my app/1 (x)")
  })

  test("[HDR-17] a preflight request without a key reaches no provider and allows nothing", async () => {
    const before = upstream.accepted
    const text = request("Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n", {
      method: "OPTIONS",
      body: "",
    }).replace(KEY_LINE, "")
    const refusal = await exchange(gateway.port, text)
    expect(statusOf(refusal)).toBe(401)
    expect(refusal).not.toMatch(/access-control/i)
    expect(upstream.accepted).toBe(before)
  })
})

describe("towards the client", () => {
  test.each([
    ["one list", "Connection: keep-alive, X-A, x-b\r\n"],
    ["several lines, any case, empty tokens", "connection: ,,X-a\r\nCONNECTION: x-B,,\r\n"],
  ])("[HDR-02] headers named in the provider's Connection are not forwarded: %s", async (_, connection) => {
    answer = `HTTP/1.1 200 OK\r\n${connection}X-A: 1\r\nX-B: 2\r\nX-C: 3\r\nKeep-Alive: timeout=9\r\nContent-Length: 2\r\n\r\n{}`
    const got = await exchange(gateway.port, request())
    await gateway.nextRecord()
    expect(got).toContain("X-C: 3\r\n")
    expect(got).toContain("X-Majordomo-Request-Id: ")
    expect(got).not.toMatch(/^(x-a|x-b|keep-alive: timeout=9)/im)
  })

  test("[HDR-06] a provider cannot set the gateway's headers", async () => {
    answer = "HTTP/1.1 200 OK\r\nx-majordomo-cost: 0\r\nX-MAJORDOMO-Request-Id: fake\r\nContent-Length: 2\r\n\r\n{}"
    const got = await exchange(gateway.port, request())
    const { id } = await gateway.nextRecord()
    expect(got.match(/^x-majordomo-request-id: .*$/gim)).toEqual([`X-Majordomo-Request-Id: ${id}`])
    expect(got.match(/^x-majordomo-cost: .*$/gim)).toEqual(["X-Majordomo-Cost: 0.0003"])
  })

  test("[HDR-10] repeated headers keep their number and order, and are not joined", async () => {
    const lines = [
      "Set-Cookie: a=1",
      "Vary: x",
      "Set-Cookie: b=2",
      "Vary: y",
      "WWW-Authenticate: A",
      "WWW-Authenticate: B",
    ]
    answer = `HTTP/1.1 401 No\r\n${lines.join("\r\n")}\r\nContent-Length: 2\r\n\r\n{}`
    const got = await exchange(gateway.port, request())
    await gateway.nextRecord()
    expect(headLines(got).filter((line) => /^(set-cookie|vary|www-auth)/i.test(line))).toEqual(lines)
  })

  test("[HDR-11] header values keep their bytes, in latin1 or UTF-8", async () => {
    answer = "HTTP/1.1 200 OK\r\nX-latin: \xe9\r\nX-UTF: \xe2\x82\xac\r\nContent-Length: 2\r\n\r\n{}"
    const got = await exchange(gateway.port, request())
    await gateway.nextRecord()
    expect(headLines(got)).toEqual(expect.arrayContaining(["X-latin: \xe9", "X-UTF: \xe2\x82\xac"]))
  })

  test.each([
    ["a provider's name", request("X-Majordomo-Provider: a\tb\xe9\r\n")],
    ["a model", request("", { body: '{"model":"a\\r\\nX-Injected: 1\\u2028\u{1f600}"}' })],
    ["a path", request("", { path: "/v1/models/%0d%0aX-Injected:%201" })],
    ["metadata", request("X-Majordomo-Note: a%0d%0aX-Injected: 1 \xf0\x9f\x98\x80\r\n")],
    ["a query", request("", { path: "/nowhere?a=%0d%0aX-Injected:1" })],
  ])("[HDR-15] client input never becomes a response header: %s", async (_, text) => {
    const got = await exchange(gateway.port, text)
    expect(statusOf(got)).toBeGreaterThanOrEqual(200)
    expect(headLines(got).filter((line) => /injected/i.test(line))).toEqual([])
    if (statusOf(got) === 200) await gateway.nextRecord()
  })
})

test("[HDR-11] the bytes of the body are those that were sent", () => {
  expect(upstream.received.join("")).toContain(BODY)
})
