import { createHash } from "node:crypto"
import { createServer, type Server } from "node:net"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Provider } from "../../src/providers/catalog.ts"
import { watchDials } from "../support/dials.ts"
import { type OddUpstream, OK, startOddUpstream } from "../support/odd-upstream.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"
import { bodyOf, exchange, request, statusOf } from "./_raw.ts"

const NAMES = ["openai", "anthropic", "gemini"] as const
const upstream: Record<string, OddUpstream> = {}
const called: { name: string; target: string; text: string }[] = []
let dials: ReturnType<typeof watchDials>
let answer = OK
let sentinel: Server
let touched = 0
let gateway: Pipeline

beforeAll(async () => {
  dials = watchDials()
  for (const name of NAMES) {
    upstream[name] = await startOddUpstream((socket, text) => {
      called.push({ name, target: text.split(" ", 2)[1]!, text })
      socket.write(answer)
    })
  }
  sentinel = createServer((socket) => {
    touched++
    socket.destroy()
  })
  await new Promise<void>((resolve) => sentinel.listen(0, "127.0.0.1", resolve))
  const provider = (name: (typeof NAMES)[number]): Provider => ({ name, format: name, baseUrl: upstream[name]!.origin })
  gateway = await startPipeline({
    upstream: "",
    providers: { openai: provider("openai"), anthropic: provider("anthropic"), gemini: provider("gemini") },
  })
})
afterAll(async () => {
  await gateway.close()
  for (const name of NAMES) await upstream[name]!.close()
  await new Promise((resolve) => sentinel.close(resolve))
  dials.stop()
})

const sentinelHost = () => `127.0.0.1:${(sentinel.address() as { port: number }).port}`
const ownHosts = () => new Set(NAMES.map((name) => `127.0.0.1:${upstream[name]!.port}`))

async function send(text: string) {
  const before = called.length
  const rows = gateway.records.length
  const got = await exchange(gateway.port, text)
  const row = gateway.records.length > rows ? await gateway.nextRecord() : undefined
  return { status: statusOf(got), text: got, calls: called.slice(before), row }
}

const get = (path: string, headers = "") => request(headers, { method: "GET", path, body: "" })

describe("a target", () => {
  test.each([
    "http://{}/v1/messages",
    "HTTP://{}/v1/messages",
    "https://{}/v1/chat/completions",
    "ws://{}/v1/messages",
    "ftp://{}/v1/messages",
    "//{}/v1/messages",
    "///{}/v1/messages",
    "{}",
    "v1/messages",
    "*",
    "?/v1/messages",
    "/\\{}/v1/messages",
    "\\\\{}/v1/messages",
  ])("[URL-01] that is not a path reaches no host: %s", async (form) => {
    const { status, calls, row } = await send(get(form.replace("{}", sentinelHost())))
    expect(status).toBe(400)
    expect(calls).toEqual([])
    expect(row).toBeUndefined()
    expect(touched).toBe(0)
  })

  test.each([
    "/v1/../admin",
    "/v1/./models",
    "/v1/%2e%2e/admin",
    "/v1/%2E./admin",
    "/v1/.%2e/admin",
    "/v1/%252e%252e/admin",
    "/v1/chat/completions/../../files",
    "/v1/chat/completions/..%2f..%2ffiles",
    "/v1/chat/completions/..%5c..%5cfiles",
    "/v1/messages/../chat/completions",
    "/v1/messages/%2e%2e/chat/completions",
    "/v1/chat/completions/..;/admin",
    "/v1/chat/completions;a=b",
    "/v1/chat/completions/",
    "/v1/chat/completions//",
    "/v1//chat/completions",
    "/V1/chat/completions",
    "/v1/Chat/Completions",
    "/v1/chat%2fcompletions",
    "/v1/chat/completions%00",
    "/v1/chat/completions%0d%0aX: y",
    "/v1/chat/completions%20",
    "/v1/chat/completions#frag",
    "/v1/models/%E2%82%AC",
    "/v1/models/a:b@c",
    "/v1/models/%",
    "/v1/models/%zz",
    "/v1beta/models/../../v1/messages",
    "/v1beta/models/gemini%2Fx:generateContent",
    "/../../etc/passwd",
  ])("[URL-03] is rejected, or else routed, forwarded and logged as the same bytes: %s", async (path) => {
    const { status, calls, row } = await send(get(path.replaceAll(" ", "%20")))
    if (calls.length === 0) {
      expect([400, 404]).toContain(status)
      return
    }
    expect(calls.map(({ target }) => target)).toEqual([path.replaceAll(" ", "%20")])
    expect(row?.request_path).toBe(path.replaceAll(" ", "%20"))
    expect(calls[0]!.name).toBe(row?.provider)
  })

  test.each([
    "?a=1&a=2&a=",
    "?",
    "??",
    "?a=b+c%20d",
    "?a=%2F%2f&b=%c3%a9",
    "?%00=%00",
    "?a=b?c=d&e=/f//g",
    "?a[]=1&a[]=2;b",
    `?long=${"x".repeat(8000)}`,
    "?url=http://evil.example/&host=evil.example",
    "?a='\"<>|{}^`",
  ])("[URL-04] keeps its query byte for byte: %.40s", async (query) => {
    const { calls } = await send(get(`/v1/models${query}`))
    expect(calls.map(({ target }) => target)).toEqual([`/v1/models${query}`])
  })

  test.each([
    "/",
    "/v1",
    "/v1/",
    "/v2/chat/completions",
    "/admin",
    "/v1/chatx/completions",
    "/v1/completionsx",
    "/v1/unknown",
    "/api/chat",
    "/v1/messagesx",
    "/favicon.ico",
    "/.env",
    "/v1beta",
    "/OpenAI/v1/chat/completions",
    "/openai%2Fv1/chat/completions",
    "/openai",
    "/healthz",
    "/metrics/x",
    "/v1/Messages",
    "/v1/%6dessages",
    "/v1/nobody/usage",
  ])("[URL-09] of no provider gives 404 in JSON without a call, a row or a repeated credential: %s", async (path) => {
    const { status, calls, text, row } = await send(get(path, "Authorization: Bearer sk-canary-0123456789\r\n"))
    expect(status).toBe(404)
    expect(JSON.parse(bodyOf(text))).toHaveProperty("error")
    expect(calls).toEqual([])
    expect(row).toBeUndefined()
    expect(text).not.toMatch(/canary|mdm_sk_test/)
  })
})

describe("the address of the provider", () => {
  const attempts: [string, () => string][] = [
    ["X-Majordomo-Base-Url", () => request(`X-Majordomo-Base-Url: http://${sentinelHost()}\r\n`)],
    ["X-Portkey-Custom-Host", () => request(`X-Portkey-Custom-Host: http://${sentinelHost()}\r\n`)],
    ["Helicone-Target-Url", () => request(`Helicone-Target-Url: http://${sentinelHost()}\r\n`)],
    ["X-Forwarded-Host", () => request(`X-Forwarded-Host: ${sentinelHost()}\r\nForwarded: host=${sentinelHost()}\r\n`)],
    ["Host", () => request().replace("Host: gateway", `Host: ${sentinelHost()}`)],
    ["X-Original-Url", () => request(`X-Original-Url: http://${sentinelHost()}/\r\nX-Rewrite-Url: /admin\r\n`)],
    ["a provider's name as a host", () => request(`X-Majordomo-Provider: ${sentinelHost()}\r\n`)],
    ["a provider's name as a URL", () => request(`X-Majordomo-Provider: http://${sentinelHost()}/\r\n`)],
    ["a provider's name with a meaning in JavaScript", () => request("X-Majordomo-Provider: __proto__\r\n")],
    ["the query", () => get(`/v1/models?base_url=http://${sentinelHost()}&api_base=http://${sentinelHost()}`)],
    [
      "the body",
      () =>
        request("", {
          body: JSON.stringify({
            model: "m",
            api_base: `http://${sentinelHost()}`,
            base_url: `http://${sentinelHost()}`,
            user_config: {},
          }),
        }),
    ],
    ["the model", () => request("", { body: JSON.stringify({ model: `x@${sentinelHost()}/#?` }) })],
    ["the model in the path", () => get(`/v1beta/models/x@${sentinelHost()}%2f%23:generateContent`)],
    [
      "a path that begins with an at sign",
      () => get(`/@${sentinelHost()}/v1/models`, "X-Majordomo-Provider: openai\r\n"),
    ],
    ["a path that begins with a colon", () => get(`/:80@${sentinelHost()}/`, "X-Majordomo-Provider: openai\r\n")],
  ]
  test.each(attempts)("[URL-06] cannot be chosen by %s", async (_, make) => {
    await send(make())
    expect(touched).toBe(0)
    for (const { name, text } of called) expect(text).toContain(`\r\nhost: 127.0.0.1:${upstream[name]!.port}\r\n`)
  })

  test.each([301, 302, 303, 307, 308])(
    "[URL-07] a redirect (%i) is passed to the client and not followed",
    async (status) => {
      answer = `HTTP/1.1 ${status} Moved\r\nLocation: http://${sentinelHost()}/latest/meta-data/\r\nContent-Length: 0\r\n\r\n`
      const { text, calls, row } = await send(request("Authorization: Bearer sk-canary\r\n"))
      answer = OK
      expect(statusOf(text)).toBe(status)
      expect(text).toContain(`Location: http://${sentinelHost()}/latest/meta-data/`)
      expect(calls).toHaveLength(1)
      expect(row?.status_code).toBe(status)
      expect(touched).toBe(0)
    },
  )

  test("[URL-06] none of these requests opened a connection to a host that is not configured", () => {
    const dialled = dials.dialled.filter((host) => !host.endsWith(`:${gateway.port}`))
    expect(dialled.length).toBeGreaterThan(0)
    expect(dialled.filter((host) => !ownHosts().has(host))).toEqual([])
  })
})

describe("a credential", () => {
  const credentials = {
    "Authorization: Bearer": { header: "Authorization: Bearer canary\r\n", query: "" },
    "x-api-key": { header: "x-api-key: canary\r\n", query: "" },
    "x-goog-api-key": { header: "x-goog-api-key: canary\r\n", query: "" },
    "?key=": { header: "", query: "?key=canary" },
  } as const
  type Credential = keyof typeof credentials
  const openaiPaths = ["/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/models", "/files"]
  const paths = [
    ...openaiPaths,
    "/v1/messages",
    "/v1beta/models/g:generateContent",
    "/v1beta/openai/chat/completions",
    "/elsewhere",
  ]

  /** The routing table of the specification, stated independently of the code. */
  function providerOf(path: string, named: string, credential: Credential): string | undefined {
    if (named !== "") return named
    if (path === "/v1/messages") return "anthropic"
    if (path.startsWith("/v1beta/")) return "gemini"
    if (path === "/v1/models" && credential === "x-api-key") return "anthropic"
    if (path === "/v1/models" && credential !== "Authorization: Bearer") return "gemini"
    return openaiPaths.includes(path) ? "openai" : undefined
  }
  const accepted: Readonly<Record<string, readonly Credential[]>> = {
    openai: ["Authorization: Bearer"],
    anthropic: ["Authorization: Bearer", "x-api-key"],
    gemini: ["Authorization: Bearer", "x-goog-api-key", "?key="],
  }
  const cells = paths.flatMap((path) =>
    ["", ...NAMES].flatMap((named) =>
      (Object.keys(credentials) as Credential[]).map((credential) => ({ path, named, credential })),
    ),
  )

  test(`[URL-08] goes only to the provider that the path names, if it is that provider's, in all ${cells.length} combinations`, async () => {
    const wrong: unknown[] = []
    for (const { path, named, credential } of cells) {
      const { header, query } = credentials[credential]
      const provider = named === "" ? "" : `X-Majordomo-Provider: ${named}\r\n`
      const { status, calls } = await send(get(path + query, header + provider))
      const reached = calls.map(({ name }) => name)
      const wanted = providerOf(path, named, credential)
      const isSent = wanted !== undefined && accepted[wanted]!.includes(credential)
      const isRight = isSent
        ? reached.length === 1 && reached[0] === wanted
        : reached.length === 0 && status === (wanted === undefined ? 404 : 400)
      if (!isRight) wrong.push({ path, named, credential, wanted, reached, status })
    }
    expect(wrong).toEqual([])
  })

  test("[URL-11] in Gemini's query is forwarded once, unchanged, and is in no row", async () => {
    const { calls, row } = await send(get("/v1beta/models/g:generateContent?alt=sse&key=canary-in-query&x=1"))
    expect(calls.map(({ target }) => target)).toEqual([
      "/v1beta/models/g:generateContent?alt=sse&key=canary-in-query&x=1",
    ])
    expect(JSON.stringify(row)).not.toContain("canary-in-query")
    expect(row?.provider_api_key_hash).toMatch(/^[0-9a-f]{64}$/)
  })

  test("[SEC-05] has the same hash however it was sent, without `Bearer`", async () => {
    const hashes = []
    for (const header of [
      "Authorization: Bearer same-key",
      "authorization: bearer same-key",
      "x-goog-api-key: same-key",
    ]) {
      hashes.push((await send(get("/v1beta/models", `${header}\r\n`))).row?.provider_api_key_hash)
    }
    hashes.push((await send(get("/v1beta/models?key=same-key"))).row?.provider_api_key_hash)
    hashes.push((await send(get("/v1/models", "Authorization: Bearer same-key\r\n"))).row?.provider_api_key_hash)
    hashes.push((await send(get("/v1/messages", "x-api-key: same-key\r\n"))).row?.provider_api_key_hash)
    const sha256 = createHash("sha256").update("same-key").digest("hex")
    expect([...new Set(hashes)]).toEqual([sha256])
  })

  test("[SEC-05] of the gateway is never taken for a provider's", () => {
    expect(called.length).toBeGreaterThan(0)
    expect(called.map(({ text }) => text).join("")).not.toContain(KEY)
  })
})
