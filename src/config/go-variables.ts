import { createTable } from "../core/table.ts"
import type { Notes } from "./sources.ts"

/**
 * Variables of the second version of the Go gateway, which have no prefix, and what to use instead. Other programs have variables of
 * these names too, so that none of them is read. `ADMIN_TOKEN` is read (`admin-token.ts`).
 */
const REPLACEMENTS: Readonly<Record<string, string>> = createTable({
  HOST: "set MAJORDOMO_SERVER_HOST",
  PORT: "set MAJORDOMO_SERVER_PORT",
  READ_TIMEOUT: "set MAJORDOMO_SERVER_READ_TIMEOUT",
  WRITE_TIMEOUT: "there is nothing in its place",
  UPSTREAM_TIMEOUT: "set MAJORDOMO_UPSTREAM_IDLE_TIMEOUT",
  STREAM_HEADER_TIMEOUT: "set MAJORDOMO_UPSTREAM_FIRST_BYTE_TIMEOUT",
  POSTGRES_HOST: "set MAJORDOMO_STORAGE_POSTGRES_HOST, or DATABASE_URL for all of them",
  POSTGRES_PORT: "set MAJORDOMO_STORAGE_POSTGRES_PORT",
  POSTGRES_USER: "set MAJORDOMO_STORAGE_POSTGRES_USER",
  POSTGRES_PASSWORD: "set MAJORDOMO_STORAGE_POSTGRES_PASSWORD",
  POSTGRES_DB: "set MAJORDOMO_STORAGE_POSTGRES_DATABASE",
  POSTGRES_SSLMODE: "set MAJORDOMO_STORAGE_POSTGRES_SSLMODE",
  POSTGRES_MAX_CONNS: "set MAJORDOMO_STORAGE_POSTGRES_MAX_CONNS",
  LOG_LEVEL: "use `serve --quiet` to log no requests",
  BODY_STORAGE: "set MAJORDOMO_LOGGING_BODY_STORAGE",
  BODY_STORAGE_PREFIX: "there is nothing in its place",
  BODY_S3_BUCKET: "set MAJORDOMO_S3_BUCKET",
  BODY_S3_REGION: "set MAJORDOMO_S3_REGION",
  BODY_S3_ENDPOINT: "set MAJORDOMO_S3_ENDPOINT",
  BODY_GCS_BUCKET: "set MAJORDOMO_S3_BUCKET, and MAJORDOMO_S3_ENDPOINT=https://storage.googleapis.com with an HMAC key",
  PRICING_REMOTE_URL: "set MAJORDOMO_PRICING_REMOTE_URL",
  PRICING_REFRESH_INTERVAL: "set MAJORDOMO_PRICING_REFRESH_INTERVAL",
  MODEL_CATALOG_FILE: "set prices by MAJORDOMO_PRICING_FALLBACK_FILE or `pricing set`",
  PRICING_ALIASES_FILE: "set MAJORDOMO_PRICING_ALIASES_FILE",
  DEPRECATED_MODELS_FILE: "models keep the prices of their time",
  OPENAI_BASE_URL: "set MAJORDOMO_PROVIDERS_OPENAI_BASE_URL",
  ANTHROPIC_BASE_URL: "set MAJORDOMO_PROVIDERS_ANTHROPIC_BASE_URL",
  GEMINI_BASE_URL: "set MAJORDOMO_PROVIDERS_GEMINI_BASE_URL",
  METADATA_HLL_FLUSH_INTERVAL: "values are counted exactly",
  METADATA_ACTIVE_KEYS_CACHE_TTL: "the gateway learns about changed names at once",
  ENCRYPTION_KEY: "keys of providers are stored with `majordomo-gateway provider-keys add`, under another key",
  ROUTING_ENABLED: "each request goes to the provider that it names",
  ROUTING_DEFAULT_DATA_COLLECTION: "each request goes to the provider that it names",
  ROUTING_DEFAULT_REQUIRE_ZDR: "each request goes to the provider that it names",
  ...Object.fromEntries(
    ["FIREWORKS", "TOGETHER", "DEEPSEEK", "MOONSHOT", "BASETEN", "NEBIUS", "DEEPINFRA", "NOVITA"].map((name) => [
      `${name}_BASE_URL`,
      `set MAJORDOMO_PROVIDERS_${name}_BASE_URL, and MAJORDOMO_PROVIDERS_${name}_FORMAT=openai`,
    ]),
  ),
})

/** Variables that only the Go gateway has. One of them says that the environment is its own. */
const OWN = [
  "BODY_STORAGE",
  "BODY_S3_BUCKET",
  "BODY_GCS_BUCKET",
  "MODEL_CATALOG_FILE",
  "PRICING_ALIASES_FILE",
  "DEPRECATED_MODELS_FILE",
  "METADATA_HLL_FLUSH_INTERVAL",
  "METADATA_ACTIVE_KEYS_CACHE_TTL",
  "ROUTING_ENABLED",
]

/** Warns of the variables of a Go gateway of the second version, if the environment is the one of such a gateway. */
export function warnOfGoVariables(variables: Readonly<Record<string, string | undefined>>, notes: Notes): void {
  const isOfGo = OWN.some((name) => variables[name]) || (variables["ADMIN_TOKEN"] && variables["POSTGRES_DB"])
  if (!isOfGo) return
  for (const [name, instead] of Object.entries(REPLACEMENTS)) {
    if (variables[name])
      notes.warnings.push(`${name} is a variable of the Go gateway and has no effect here: ${instead}`)
  }
}
