/**
 * Settings of the Go gateway that have no effect here. They are accepted with a warning, so that its configuration
 * files can be used unchanged.
 */
const GO_GATEWAY = [
  "admin",
  "cors",
  "email",
  "jwt",
  "managed",
  "oauth",
  "secrets",
  "logging.level",
  "logging.max_request_body_size",
  "logging.max_response_body_size",
  "metadata.active_keys_cache_ttl",
  "metadata.hll_flush_interval",
  "providers.azure",
  "providers.bedrock",
  "server.base_url",
  "server.stream_header_timeout",
  "server.upstream_timeout",
  "upstream.batch_interval",
  "upstream.batch_max_size",
  "upstream.job_poll_interval",
  "upstream.job_poll_limit",
  "upstream.key_sync_interval",
]

/** Variables with our prefix that are not settings. Tests, clients and the runtime environment read them. */
const OTHER_VARIABLES = new Set(["MAJORDOMO_API_KEY", "MAJORDOMO_GATEWAY_URL", "MAJORDOMO_DEBUG"])

export function isGoGatewayKey(path: string): boolean {
  return GO_GATEWAY.some((key) => path === key || path.startsWith(`${key}.`))
}

export function isGoGatewayVariable(variable: string): boolean {
  return GO_GATEWAY.some((key) => {
    const name = `MAJORDOMO_${key.replaceAll(".", "_").toUpperCase()}`
    return variable === name || variable.startsWith(`${name}_`)
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
