import { createTable } from "../core/table.ts"
import type { Notes, SourcedValue } from "./sources.ts"

/**
 * Settings of the Go gateway, in any of its versions, that have no effect here, and what to use instead. They are
 * accepted with a warning, so that its configuration files can be used unchanged.
 */
const GO_GATEWAY: Readonly<Record<string, string>> = createTable({
  admin: "use the other settings of admin",
  body_store: "use logging.body_storage and s3",
  cors: "use server.cors_origins",
  email: "there is nothing in its place",
  gcs: "use s3 with s3.endpoint: https://storage.googleapis.com and an HMAC key",
  jwt: "use the command `keys`",
  managed: "there is nothing in its place",
  oauth: "use the command `keys`",
  routing: "each request goes to the provider that it names",
  secrets: "clients send the provider's key themselves, or use `majordomo-gateway provider-keys add`",
  "logging.level": "use `serve --quiet` to log no requests",
  "logging.max_request_body_size": "use logging.max_body_size",
  "logging.max_response_body_size": "use logging.max_body_size",
  "metadata.active_keys_cache_ttl": "the gateway learns about changed names at once",
  "metadata.hll_flush_interval": "values are counted exactly",
  "pricing.model_catalog_file": "use pricing.fallback_file, or `majordomo-gateway pricing set`",
  "pricing.deprecated_models_file": "models keep the prices of their time",
  "providers.azure.region": "use providers.azure.base_url",
  "server.base_url": "use metering.rewrite_result_urls",
  "server.stream_header_timeout": "use upstream.first_byte_timeout",
  "server.upstream_timeout": "use upstream.first_byte_timeout and upstream.idle_timeout",
  "upstream.batch_interval": "there is nothing in its place",
  "upstream.batch_max_size": "there is nothing in its place",
  "upstream.job_poll_interval": "a job is billed when a client fetches it",
  "upstream.job_poll_limit": "a job is billed when a client fetches it",
  "upstream.key_sync_interval": "revoked keys are rejected at once",
})

/** Providers that the Go gateway knows by name alone. Here, any provider that is not built in needs a format. */
const GO_PROVIDERS = new Set([
  "baseten",
  "deepinfra",
  "deepseek",
  "fireworks",
  "moonshot",
  "nebius",
  "novita",
  "together",
])

/** Variables with our prefix that are not settings. Tests, clients and the runtime environment read them. */
const OTHER_VARIABLES = new Set(["MAJORDOMO_API_KEY", "MAJORDOMO_GATEWAY_URL", "MAJORDOMO_DEBUG"])

/** Returns what to use in place of a setting of the Go gateway; undefined if the path is none. */
export function findGoReplacement(path: string): string | undefined {
  return Object.entries(GO_GATEWAY).find(([key]) => path === key || path.startsWith(`${key}.`))?.[1]
}

/** Like `findGoReplacement`, for a variable. */
export function findGoVariableReplacement(variable: string): string | undefined {
  return Object.entries(GO_GATEWAY).find(([key]) => {
    const name = `MAJORDOMO_${key.replaceAll(".", "_").toUpperCase()}`
    return variable === name || variable.startsWith(`${name}_`)
  })?.[1]
}

/** Returns the values without those that only the Go gateway understands, and notes a warning for each of them. */
export function dropGoValues(values: readonly SourcedValue[], notes: Notes): readonly SourcedValue[] {
  const withFormat = new Set(values.flatMap(({ path }) => /^providers\.([^.]+)\.format$/.exec(path)?.[1] ?? []))
  const warned = new Set<string>()
  return values.filter(({ path, value, source }) => {
    if (path === "logging.body_storage" && value === "gcs") {
      notes.warnings.push(`${path} (${source}): gcs has no effect here: ${GO_GATEWAY["gcs"]}`)
      return false
    }
    if (path === "providers.azure.region") {
      notes.warnings.push(`${path} (${source}) has no effect here: ${GO_GATEWAY[path]}`)
      return false
    }
    const name = /^providers\.([^.]+)\./.exec(path)?.[1]
    if (name === undefined || !GO_PROVIDERS.has(name) || withFormat.has(name)) return true
    if (!warned.has(name)) {
      notes.warnings.push(
        `providers.${name} (${source}) has no effect: it needs a format too, such as providers.${name}.format: openai`,
      )
    }
    warned.add(name)
    return false
  })
}

/**
 * Returns true for variables with our prefix that are not settings. Kubernetes sets variables in every pod for each
 * Service of its namespace. For a Service named `majordomo`, they start with our prefix
 * (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
 */
export function isNoSetting(variable: string, value: string): boolean {
  if (OTHER_VARIABLES.has(variable)) return true
  if (/_SERVICE_(HOST|PORT|PORT_[A-Z0-9_]+)$/.test(variable)) return true
  if (/_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(variable)) return true
  return /_PORT$/.test(variable) && /^(tcp|udp|sctp):\/\//.test(value)
}
