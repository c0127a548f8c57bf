import { randomBytes } from "node:crypto"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import pg from "pg"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { connectRaw } from "../support/raw.ts"
import { ACCESS_KEY, BUCKET, REGION, type S3Server, SECRET_KEY, startS3 } from "../support/s3.ts"

const VAULT_SECRET = "provider key of the vault"
/** It contains the vault key, and nothing else may. */
const VAULT_FILE = ".majordomo/vault.key"

let fakeProvider: FakeProvider
let s3: S3Server
let url: string
let home: Installation
let gateway: RunningGateway
let key: string
beforeAll(async () => {
  ;[fakeProvider, s3] = await Promise.all([startFakeProvider(), startS3()])
  url = (await createTestDatabase()).url
  home = createInstallation({
    DATABASE_URL: url,
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
    MAJORDOMO_PROVIDERS_ANTHROPIC_BASE_URL: "http://127.0.0.1:9", // nothing listens on the discard port
    MAJORDOMO_PROVIDERS_GEMINI_BASE_URL: fakeProvider.origin,
    MAJORDOMO_PRICING_REMOTE_URL: "",
    MAJORDOMO_SERVER_MAX_BODY_SIZE: "10000",
    MAJORDOMO_LOGGING_BODY_STORAGE: "s3",
    MAJORDOMO_S3_BUCKET: BUCKET,
    MAJORDOMO_S3_REGION: REGION,
    MAJORDOMO_S3_ENDPOINT: s3.endpoint,
    MAJORDOMO_S3_ACCESS_KEY_ID: ACCESS_KEY,
    MAJORDOMO_S3_SECRET_ACCESS_KEY: SECRET_KEY,
  })
  // The gateway holds a key of a provider, which requests without one of their own use.
  await home.runJson(["vault", "init"])
  secrets.set("vault key", readFileSync(join(home.home, VAULT_FILE), "utf8").split("\n")[2]!)
  await home.runJson(["provider-keys", "add", "openai"], {}, secret(VAULT_SECRET))
  key = ((await home.runJson(["keys", "create", "--name", "canary"])) as { key: string }).key
  gateway = await home.serve()
})
afterAll(async () => {
  await gateway?.stop("SIGKILL")
  await home.remove()
  await Promise.all([fakeProvider.close(), s3.close()])
})

/** Each secret by the way in which it was sent. Secrets are random, so that a match is not a coincidence. */
const secrets = new Map<string, string>()
function secret(way: string): string {
  const made = `Cny${randomBytes(15).toString("hex")}/+`
  secrets.set(way, made)
  return made
}

/** Every header that carries a credential, each with its own secret. */
function credentials(round: string): string {
  const basic = Buffer.from(`user:${secret(`${round} basic`)}`).toString("base64")
  secrets.set(`${round} basic as sent`, basic)
  return [
    `Authorization: Bearer ${secret(`${round} authorization`)}`,
    `x-api-key: ${secret(`${round} x-api-key`)}`,
    `X-Goog-Api-Key: ${secret(`${round} x-goog-api-key`)}`,
    `api-key: ${secret(`${round} api-key`)}`,
    `Cookie: session=${secret(`${round} cookie`)}; other=1`,
    `Proxy-Authorization: Basic ${basic}`,
    "",
  ].join("\r\n")
}

interface Asked {
  readonly name: string
  readonly expected: number
  readonly path?: string
  readonly body?: string
  readonly gatewayKey?: string
  readonly provider?: string
  readonly headers?: string
}

async function ask({
  name,
  path = "/v1/chat/completions",
  body = CHAT,
  gatewayKey = key,
  provider = "openai",
  headers = "",
  expected,
}: Asked) {
  const client = await connectRaw(gateway.port)
  client.send(
    `POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Majordomo-Key: ${gatewayKey}\r\nX-Majordomo-Provider: ${provider}\r\n${credentials(name)}${headers}Content-Length: ${body.length}\r\n\r\n${body}`,
  )
  const answer = await client.closed()
  expect([name, Number(answer.slice(9, 12))]).toEqual([name, expected])
  return answer
}

const CHAT = '{"model":"gpt-4o-mini","messages":[]}'
const STREAM = '{"model":"gpt-4o-mini","stream":true,"messages":[]}'

/** The forms from which a reader could recover the secret: itself, encoded, or long parts of it. */
function needlesOf(text: string): string[] {
  const base64 = ["", "x", "xx"].map((before) =>
    Buffer.from(before + text)
      .toString("base64")
      .slice(4, -4),
  )
  const hex = Buffer.from(text).toString("hex")
  return [text, encodeURIComponent(text), ...base64, hex, text.slice(0, 11), text.slice(-11)]
}

function readFiles(dir: string): [string, Buffer][] {
  return readdirSync(dir, { recursive: true, encoding: "utf8" })
    .map((name) => join(dir, name))
    .filter((path) => statSync(path).isFile() && !path.endsWith(VAULT_FILE))
    .map((path) => [path, readFileSync(path)])
}

async function readTables(): Promise<[string, string][]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const tables = await client.query<{ name: string }>(
      "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    )
    const texts: [string, string][] = []
    for (const { name } of tables.rows) {
      const { rows } = await client.query<{ text: string }>(`SELECT t::text AS text FROM ${name} AS t`)
      texts.push([`table ${name}`, rows.map(({ text }) => text).join("\n")])
    }
    return texts
  } finally {
    await client.end()
  }
}

test("[SEC-01] no secret, plain, encoded or in part, appears in a table, object, file, log line, metric or error response, whatever the outcome of its request", async () => {
  secrets.set("gateway key", key.slice("mdm_sk_".length))
  secrets.set("database password", new URL(url).password)
  secrets.set("S3 secret key", SECRET_KEY)
  const refusals: string[] = []
  s3.fault = { status: 503, code: "SlowDown" } // bodies wait on disk, where the test searches them too

  await ask({ name: "whole", expected: 200 })
  await ask({ name: "stream", body: STREAM, expected: 200 })
  await ask({
    name: "gemini",
    provider: "gemini",
    path: `/v1beta/models/gemini-2.5-flash:generateContent?alt=json&key=${secret("query key")}&k%65y=${secret("query key, coded")}`,
    body: '{"contents":[]}',
    expected: 200,
  })
  // The provider quotes what it received, in its error message and in its headers.
  const quoted = (name: string) => secrets.get(`quoted ${name}`)!
  const made = credentials("quoted")
  const words = ["authorization", "x-api-key", "x-goog-api-key"].map(quoted).join(" or ")
  fakeProvider.next({
    status: 401,
    body: JSON.stringify({ error: { message: `Incorrect API key provided: ${words}`, type: "invalid_request_error" } }),
    headers: ["Set-Cookie", `session=${secret("set-cookie")}`],
  })
  const client = await connectRaw(gateway.port)
  client.send(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Majordomo-Key: ${key}\r\nX-Majordomo-Provider: openai\r\n${made}Content-Length: ${CHAT.length}\r\n\r\n${CHAT}`,
  )
  expect(await client.closed()).toMatch(/^HTTP\/1.1 401 /)
  // The gateway adds its own key of the provider, which the provider quotes.
  const held = secrets.get(VAULT_SECRET)!
  const quote = `${"x".repeat(470)} and ${held}`
  fakeProvider.next({ status: 401, body: JSON.stringify({ error: { message: `${held} is wrong: ${quote}` } }) })
  const supplied = await connectRaw(gateway.port)
  supplied.send(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${key}\r\nContent-Length: ${CHAT.length}\r\n\r\n${CHAT}`,
  )
  const rejected = await supplied.closed()
  expect(rejected, "the provider has received it").toMatch(/^HTTP\/1\.1 401 [\s\S]*is wrong/)
  expect(rejected, "the client gets none of it").not.toContain(held)
  fakeProvider.next({ breakAfterPieces: 0 })
  refusals.push(await ask({ name: "broken off", expected: 502 }))
  fakeProvider.next({
    body: `HTTP nonsense ${secret("provider's own")}`,
    headers: ["Content-Length", "5", "Content-Length", "6"],
  })
  refusals.push(
    await ask({ name: "two lengths", expected: 502 }),
    await ask({ name: "unreachable", provider: "anthropic", path: "/v1/messages", expected: 502 }),
    await ask({ name: "unknown key", gatewayKey: `mdm_sk_${secret("guessed").replace("/+", "__")}`, expected: 401 }),
    await ask({ name: "malformed key", gatewayKey: secret("malformed key"), expected: 401 }),
    await ask({ name: "no such path", path: `/nowhere?key=${secret("nowhere")}`, expected: 404 }),
    await ask({ name: "no such provider", provider: "none", expected: 400 }),
    await ask({ name: "too large", body: "x".repeat(20_000), expected: 413 }),
    await ask({ name: "userinfo", path: `http://user:${secret("userinfo")}@127.0.0.1/v1/models`, expected: 400 }),
    await ask({ name: "malformed head", headers: `Transfer-Encoding: odd\r\n`, expected: 400 }),
  )
  fakeProvider.next({ pieces: 100, pieceDelayMs: 20 })
  const leaving = await connectRaw(gateway.port)
  leaving.send(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Majordomo-Key: ${key}\r\nX-Majordomo-Provider: openai\r\n${credentials("leaves")}Content-Length: ${STREAM.length}\r\n\r\n${STREAM}`,
  )
  await leaving.until(/data: /)
  leaving.close()

  const pages = await Promise.all(
    ["/metrics", "/health", "/readyz"].map(async (path) => (await fetch(gateway.origin + path)).text()),
  )
  const commands = [["provider-keys", "list"], ["audit", "list"], ["vault", "status"], ["usage", "errors"], ["doctor"]]
  const printed = await Promise.all(commands.map((command) => home.run([...command, "--json"])))
  expect(printed[0]!.stdout).toContain('"openai"')
  const whileWaiting = readFiles(home.home)
  expect(whileWaiting.some(([path, bytes]) => /bodies|spool/.test(path) && bytes.length > 0)).toBe(true)
  s3.fault = undefined
  await s3.waitForKeys(5)
  const { code, stdout, stderr } = await gateway.stop()
  expect(code).toBe(0)

  const tables = await readTables()
  expect(tables.find(([name]) => name.endsWith("llm_requests"))![1]).toContain("Incorrect API key provided")
  const places: [string, string][] = [
    ...tables,
    ...s3.puts.flatMap(({ key: name, headers, body }): [string, string][] => [
      [`object ${name}`, gunzipSync(body).toString("latin1")],
      [`head of ${name}`, JSON.stringify({ ...headers, authorization: "" })],
    ]),
    ...[...whileWaiting, ...readFiles(home.home)].map(([path, bytes]): [string, string] => [
      `file ${path.slice(home.home.length)}`,
      bytes.toString("latin1"),
    ]),
    ["stdout", stdout],
    ["stderr", stderr],
    ["own pages", pages.join("\n")],
    ...printed.map(({ stdout, stderr }, i): [string, string] => [`command ${commands[i]}`, stdout + stderr]),
    ...refusals.map((text, index): [string, string] => [`refusal ${index}`, text]),
  ]
  expect(places.length).toBeGreaterThan(20)
  const hits = [...secrets].flatMap(([way, text]) =>
    needlesOf(text).flatMap((needle) =>
      needle.length < 8 ? [] : places.flatMap(([place, found]) => (found.includes(needle) ? [`${way}: ${place}`] : [])),
    ),
  )
  expect([...new Set(hits)]).toEqual([])
})
