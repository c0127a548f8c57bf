import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { loadSettings } from "../../src/config/load.ts"
import { listRows } from "../../src/config/rows.ts"
import { PROVIDER_CATALOG } from "../../src/providers/catalog.ts"

/** The variables that the second version of the Go gateway reads (`bindEnv` in its `config.go`), but for ADMIN_TOKEN. */
const NAMES =
  `HOST PORT READ_TIMEOUT WRITE_TIMEOUT UPSTREAM_TIMEOUT STREAM_HEADER_TIMEOUT POSTGRES_HOST POSTGRES_PORT POSTGRES_USER
  POSTGRES_PASSWORD POSTGRES_DB POSTGRES_SSLMODE POSTGRES_MAX_CONNS LOG_LEVEL BODY_STORAGE BODY_STORAGE_PREFIX BODY_S3_BUCKET
  BODY_S3_REGION BODY_S3_ENDPOINT BODY_GCS_BUCKET PRICING_REMOTE_URL PRICING_REFRESH_INTERVAL MODEL_CATALOG_FILE PRICING_ALIASES_FILE
  DEPRECATED_MODELS_FILE OPENAI_BASE_URL ANTHROPIC_BASE_URL GEMINI_BASE_URL FIREWORKS_BASE_URL TOGETHER_BASE_URL DEEPSEEK_BASE_URL
  MOONSHOT_BASE_URL BASETEN_BASE_URL NEBIUS_BASE_URL DEEPINFRA_BASE_URL NOVITA_BASE_URL METADATA_HLL_FLUSH_INTERVAL
  METADATA_ACTIVE_KEYS_CACHE_TTL ENCRYPTION_KEY ROUTING_ENABLED ROUTING_DEFAULT_DATA_COLLECTION ROUTING_DEFAULT_REQUIRE_ZDR`.split(
    /\s+/,
  )

let cwd: string
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "mdm-go-"))
})
afterAll(() => rmSync(cwd, { recursive: true }))

const warningsOf = async (env: Readonly<Record<string, string>>) =>
  (await loadSettings({ cwd, env, systemFile: join(cwd, "none.yaml") }, PROVIDER_CATALOG)).warnings

test("each variable of the Go gateway's second version is answered by what to use instead", async () => {
  const warnings = await warningsOf(Object.fromEntries(NAMES.map((name) => [name, "x"])))
  expect(warnings.map((line) => line.split(" ", 1)[0]).sort()).toEqual([...NAMES].sort())
  expect(warnings.every((line) => line.includes("is a variable of the Go gateway and has no effect here: "))).toBe(true)
})

test("what is named instead is a variable of this gateway", async () => {
  const known = new Set(listRows().map(({ variable }) => variable))
  const warnings = await warningsOf(Object.fromEntries(NAMES.map((name) => [name, "x"])))
  const named = warnings.flatMap((line) => line.match(/MAJORDOMO_[A-Z0-9_]+/g) ?? [])
  expect(
    named.filter((name) => !known.has(name) && !/^MAJORDOMO_PROVIDERS_[A-Z]+_(BASE_URL|FORMAT)$/.test(name)),
  ).toEqual([])
})

test("variables that other programs have too cause no warning by themselves", async () => {
  const env = {
    HOST: "laptop",
    PORT: "3000",
    POSTGRES_DB: "app",
    LOG_LEVEL: "info",
    OPENAI_BASE_URL: "http://localhost",
  }
  expect(await warningsOf(env)).toEqual([])
  const { POSTGRES_DB } = env
  expect(await warningsOf({ POSTGRES_DB, ADMIN_TOKEN: "0123456789abcdef" })).toEqual([
    "POSTGRES_DB is a variable of the Go gateway and has no effect here: set MAJORDOMO_STORAGE_POSTGRES_DATABASE",
  ])
})

test("settings that only the second version has cause a warning in a file's place too", async () => {
  expect(await warningsOf({ MAJORDOMO_ROUTING_ENABLED: "true", MAJORDOMO_PRICING_MODEL_CATALOG_FILE: "x" })).toEqual([
    expect.stringContaining("MAJORDOMO_ROUTING_ENABLED is a setting of the Go gateway"),
    expect.stringContaining("MAJORDOMO_PRICING_MODEL_CATALOG_FILE is a setting of the Go gateway"),
  ])
})
