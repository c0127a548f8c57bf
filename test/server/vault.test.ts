import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Anthropic from "@anthropic-ai/sdk"
import { GoogleGenAI } from "@google/genai"
import OpenAI from "openai"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { callLocally } from "../../src/api/call.ts"
import { audit } from "../../src/api/routes/audit.ts"
import { keys } from "../../src/api/routes/keys.ts"
import { providerKeys } from "../../src/api/routes/provider-keys.ts"
import { tokens } from "../../src/api/routes/tokens.ts"
import { withDatabase } from "../../src/operations/open/database.ts"
import { initVault } from "../../src/operations/vault/init.ts"
import { rotateVault } from "../../src/operations/vault/rotate.ts"
import { readVaultStatus } from "../../src/operations/vault/status.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { startServer } from "../../src/server/start.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createTestDatabase } from "../support/postgres.ts"

type Server = Awaited<ReturnType<typeof startServer>>

const OPENAI = "sk-proj-vault-openai-0123456789"
const ANTHROPIC = "sk-ant-api03-vault-0123456789"
const GEMINI = "AIzaVault0123456789012345678901234567"
const TEAM_A = "sk-proj-vault-team-a-0123456789"
const secrets = [OPENAI, ANTHROPIC, GEMINI, TEAM_A]

const dirs: string[] = []
const logged: string[] = []
let provider: FakeProvider
let url: string
let sql: pg.Client
let gateway: Server
let other: Server
let caller: Parameters<typeof callLocally>[1]
let key: string

/** Settings of a gateway with a data directory of its own. */
async function settingsOf(env: Readonly<Record<string, string>> = {}) {
  const dir = mkdtempSync(join(tmpdir(), "mdm-vault-"))
  dirs.push(dir)
  const { settings } = await loadSettings({
    cwd: dir,
    env: {
      DATABASE_URL: url,
      MAJORDOMO_STORAGE_DATA_DIR: dir,
      MAJORDOMO_SERVER_PORT: "0",
      MAJORDOMO_SERVER_CREATE_FIRST_KEY: "false",
      MAJORDOMO_PRICING_REMOTE_URL: "",
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: provider.origin,
      MAJORDOMO_PROVIDERS_ANTHROPIC_BASE_URL: provider.origin,
      MAJORDOMO_PROVIDERS_GEMINI_BASE_URL: provider.origin,
      ...env,
    },
  })
  return settings
}

const start = (settings: Awaited<ReturnType<typeof settingsOf>>) =>
  startServer({ settings, log: (level, line) => void logged.push(`${level} ${line}`), onRecord: () => {} })
const originOf = ({ port }: Server) => `http://127.0.0.1:${port}`

beforeAll(async () => {
  provider = await startFakeProvider()
  url = (await createTestDatabase()).url
  sql = new pg.Client({ connectionString: url })
  await sql.connect()
  const settings = await settingsOf()
  const actor = { kind: "command", name: "root", role: "admin", id: null, address: null } as const
  const { signal } = new AbortController()
  caller = { settings, log: () => {}, onProgress: () => {}, signal, now: Date.now, actor }
  const { file } = initVault(caller)
  gateway = await start(settings)
  // The second gateway has the vault key in its settings.
  other = await start(await settingsOf({ MAJORDOMO_VAULT_KEY: readFileSync(file, "utf8").split("\n")[2]! }))
  key = (await callLocally(keys.create, caller, { name: "app" })).key
  await add("openai", OPENAI)
  await add("anthropic", ANTHROPIC)
  await add("gemini", GEMINI)
})
afterAll(async () => {
  await Promise.all([gateway?.stop(), other?.stop()])
  await sql.end()
  await provider.close()
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true })
})

const add = (name: string, secret: string, more: object = {}) =>
  callLocally(providerKeys.add, caller, { provider: name, secret, ...more })

/** Sends a chat with a gateway key as the API key, and returns the status and the credential that the provider got. */
async function chat(apiKey = key, server = gateway): Promise<readonly [number, string | undefined, string]> {
  const before = provider.exchanges.length
  const response = await fetch(`${originOf(server)}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "hello" }] }),
  })
  const text = await response.text()
  return [response.status, provider.exchanges[before]?.headers.authorization, text]
}
const bearer = (secret: string) => `Bearer ${secret}`

describe("an official SDK that has only a gateway key as its API key", () => {
  const messages = [{ role: "user" as const, content: "How far is it?" }]
  const sdks: Record<string, () => Promise<unknown>> = {
    openai: () =>
      new OpenAI({ apiKey: key, baseURL: `${originOf(gateway)}/v1`, maxRetries: 0 }).chat.completions.create({
        model: "gpt-4o-mini",
        messages,
      }),
    anthropic: () =>
      new Anthropic({ apiKey: key, baseURL: originOf(gateway), maxRetries: 0 }).messages.create({
        model: "claude-sonnet-4-5",
        max_tokens: 64,
        messages,
      }),
    "anthropic with a bearer token": () =>
      new Anthropic({ apiKey: null, authToken: key, baseURL: originOf(gateway), maxRetries: 0 }).messages.create({
        model: "claude-sonnet-4-5",
        max_tokens: 64,
        messages,
      }),
    gemini: () =>
      new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: originOf(gateway) } }).models.generateContent({
        model: "gemini-2.5-flash",
        contents: "How far is it?",
      }),
  }

  test.each([
    ["openai", "authorization", bearer(OPENAI)],
    ["anthropic", "x-api-key", ANTHROPIC],
    ["anthropic with a bearer token", "x-api-key", ANTHROPIC],
    ["gemini", "x-goog-api-key", GEMINI],
  ])("works, and the provider gets the key of the vault: %s", async (name, header, value) => {
    const before = provider.exchanges.length
    await sdks[name]!()
    const [{ rawHeaders, url: target }] = provider.exchanges.slice(before) as [(typeof provider.exchanges)[0]]
    expect(`${rawHeaders.join(" ")} ${target}`).not.toContain("mdm_sk_")
    const sent = rawHeaders.flatMap((each, i) =>
      /auth|key/i.test(each) && i % 2 === 0 ? [[each, rawHeaders[i + 1]]] : [],
    )
    expect(sent).toEqual([[header, value]])
  })

  test("a second gateway uses the same keys, with the vault key of its settings", async () => {
    expect((await chat(key, other)).slice(0, 2)).toEqual([200, bearer(OPENAI)])
  })
})

describe("an API key that is bound to a provider key", () => {
  test("uses that one on every gateway, the others the default, and nothing once it is removed", async () => {
    const { id } = await add("openai", TEAM_A, { alias: "team-a" })
    const bound = await callLocally(keys.create, caller, { name: "team a", provider_keys: ["openai:team-a"] })
    expect(bound.provider_keys).toEqual([{ provider: "openai", id, alias: "team-a", removed: false }])
    for (const server of [gateway, other]) expect((await chat(bound.key, server))[1]).toBe(bearer(TEAM_A))
    expect((await chat())[1]).toBe(bearer(OPENAI))
    const row = await expect.poll(async () => {
      const { rows } = await sql.query(
        "SELECT provider_api_key_alias AS alias FROM llm_requests WHERE majordomo_api_key_id = $1",
        [bound.id],
      )
      return rows
    })
    await row.toEqual([{ alias: "team-a" }, { alias: "team-a" }])

    const removed = await callLocally(providerKeys.remove, caller, { id: "openai:team-a" })
    expect(removed.bound_keys).toEqual([{ id: bound.id, name: "team a" }])
    expect(removed.gateways.acknowledged).toHaveLength(2)
    for (const server of [gateway, other]) {
      const [status, sent, answer] = await chat(bound.key, server)
      expect([status, sent]).toEqual([401, undefined])
      expect(JSON.parse(answer).error).toMatchObject({
        code: "provider_key_removed",
        message: expect.stringMatching(/bound to a key of openai that was removed\. .* keys update/),
      })
    }
    await callLocally(keys.update, caller, { id: bound.id, provider_keys: ["openai:"] })
    await expect.poll(() => chat(bound.key).then(([, sent]) => sent)).toBe(bearer(OPENAI))
  })
})

test("no request fails while its provider key is replaced, and the next requests use the new one", async () => {
  let isRunning = true
  const seen = new Set<string | undefined>()
  const statuses = new Set<number>()
  const worker = async () => {
    while (isRunning) {
      const response = await fetch(`${originOf(gateway)}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: '{"model":"gpt-4o-mini","messages":[]}',
      })
      await response.text()
      statuses.add(response.status)
    }
  }
  const before = provider.exchanges.length
  const workers = [worker(), worker(), worker()]
  const replaced = [1, 2, 3].map((number) => `sk-proj-vault-rotated-${number}-0123456789`)
  for (const secret of replaced) {
    secrets.push(secret)
    await callLocally(providerKeys.rotate, caller, { id: "openai:default", secret })
    const known = () => provider.exchanges.some(({ headers }) => headers.authorization === bearer(secret))
    await expect.poll(known).toBe(true)
  }
  isRunning = false
  await Promise.all(workers)
  for (const { headers } of provider.exchanges.slice(before)) seen.add(headers.authorization)
  expect([...statuses]).toEqual([200])
  expect(seen).toEqual(new Set([OPENAI, ...replaced].map(bearer)))
})

test("the vault key is replaced while gateways run: the one of this machine reads its file again", async () => {
  const file = join(caller.settings.storage.dataDir, "vault.key")
  const rotated = await withDatabase(caller, (context) => rotateVault({ ...context, actor: caller.actor }))
  expect(rotated).toMatchObject({ encrypted: 3, file })
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const status = await withDatabase(caller, readVaultStatus)
  expect(status).toMatchObject({ vault_key_id: rotated.vault_key_id, problem: null })
  expect(status.encrypted).toEqual([{ vault_key_id: rotated.vault_key_id, provider_keys: 3, readable: 3 }])
  // A secret that only the new vault key can decrypt.
  const secret = "sk-proj-vault-after-rotation-0123456789"
  secrets.push(secret)
  await callLocally(providerKeys.rotate, caller, { id: "openai:default", secret })
  await expect.poll(() => chat().then(([, sent]) => sent)).toBe(bearer(secret))

  // The other gateway does not have the new vault key. It says so, and uses what it has decrypted before.
  await expect
    .poll(() => logged.join("\n"))
    .toMatch(
      /warn provider keys that cannot be decrypted: openai:default, anthropic:default, gemini:default: they need/,
    )
  await expect.poll(() => chat(key, other).then(([code]) => code)).toBe(503)
  const [, , answer] = await chat(key, other)
  expect(JSON.parse(answer).error).toMatchObject({
    code: "vault_unavailable",
    message: expect.stringContaining(
      `openai:default, but cannot decrypt it: it needs the vault key ${rotated.vault_key_id}`,
    ),
  })
  const gemini = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: originOf(other) } })
  await gemini.models.generateContent({ model: "gemini-2.5-flash", contents: "still in memory" })
  const own = await fetch(`${originOf(other)}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: "Bearer sk-own", "x-majordomo-key": key, "content-type": "application/json" },
    body: '{"model":"gpt-4o-mini","messages":[]}',
  })
  expect([own.status, (await fetch(`${originOf(other)}/readyz`)).status]).toEqual([200, 200])
})

describe("the admin API", () => {
  test("lists provider keys to viewers, takes changes of admins, and writes both into the audit log without secrets", async () => {
    const token = async (role: "viewer" | "admin") =>
      (await callLocally(tokens.create, caller, { name: role, role })).token
    const ask = async (path: string, bearerToken: string, body?: object) => {
      const response = await fetch(`${originOf(gateway)}/api/v1${path}`, {
        method: body ? "POST" : "GET",
        headers: { authorization: `Bearer ${bearerToken}`, "content-type": "application/json" },
        ...(body && { body: JSON.stringify(body) }),
      })
      return [response.status, await response.text()] as const
    }
    const [viewer, admin] = [await token("viewer"), await token("admin")]
    const secret = "sk-ant-api03-vault-from-afar-0123456789"
    secrets.push(secret)
    const body = { provider: "anthropic", alias: "afar", default: true, secret }
    expect((await ask("/provider-keys", viewer, body))[0]).toBe(403)
    const [status, added] = await ask("/provider-keys", admin, body)
    expect([status, JSON.parse(added)]).toEqual([
      200,
      expect.objectContaining({
        provider: "anthropic",
        alias: "afar",
        is_default: true,
        last_four: "6789",
        created_by: "admin",
      }),
    ])
    const [, listed] = await ask("/provider-keys", viewer)
    expect(
      JSON.parse(listed).map(({ alias, is_default: isDefault }: Record<string, unknown>) => [alias, isDefault]),
    ).toEqual([
      ["default", false],
      ["afar", true],
      ["default", true],
      ["default", true],
      ["team-a", false],
    ])
    const [, wrong] = await ask("/provider-keys", admin, { provider: "openai", alias: "wrong", secret })
    expect(JSON.parse(wrong).detail).toMatch(/^this is a key of Anthropic, not of openai/)
    const log = JSON.stringify(await callLocally(audit.list, caller, {}))
    for (const action of ["provider-keys.add", "provider-keys.rotate", "provider-keys.remove", "vault.rotate"])
      expect(log).toContain(action)
    for (const each of secrets) expect(added + listed + wrong + log).not.toContain(each)
  })
})

test("a secret that somebody moves to another provider in the database is not sent there", async () => {
  const secret = "sk-proj-vault-moved-0123456789"
  secrets.push(secret)
  const { id } = await add("openai", secret, { alias: "moved" })
  await sql.query("UPDATE provider_api_keys SET is_default = false WHERE provider = 'gemini'")
  await sql.query("UPDATE provider_api_keys SET provider = 'gemini', is_default = true WHERE id = $1", [id])
  const before = provider.exchanges.length
  const generate = async () => {
    const path = "/v1beta/models/gemini-2.5-flash:generateContent"
    const headers = { "x-goog-api-key": key, "content-type": "application/json" }
    return (await fetch(originOf(gateway) + path, { method: "POST", headers, body: '{"contents":[]}' })).status
  }
  await expect.poll(generate).toBe(503)
  expect(JSON.stringify(provider.exchanges.slice(before).map(({ rawHeaders }) => rawHeaders))).not.toContain(secret)
})

test("no secret is in the database, plain or in base64, nor in a log line or a file", async () => {
  const { rows: tables } = await sql.query<{ name: string }>(
    "SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'",
  )
  const texts = [logged.join("\n")]
  for (const { name } of tables) {
    const { rows } = await sql.query<{ text: string }>(`SELECT t::text AS text FROM ${name} AS t`)
    texts.push(...rows.map(({ text }) => text))
  }
  const all = texts.join("\n")
  expect(all).toContain("team-a")
  for (const secret of secrets) {
    for (const form of [
      secret,
      Buffer.from(secret).toString("base64").slice(0, -4),
      Buffer.from(secret).toString("hex"),
    ])
      expect(all).not.toContain(form)
  }
})
