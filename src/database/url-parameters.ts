import { CommandError } from "../core/errors.ts"
import { createTable } from "../core/table.ts"

const CHANNEL_BINDINGS = ["disable", "prefer", "require"] as const
export type ChannelBinding = (typeof CHANNEL_BINDINGS)[number]

/** The parameters that a connection uses. */
const USED = [
  "application_name",
  "channel_binding",
  "dbname",
  "host",
  "password",
  "port",
  "sslcert",
  "sslkey",
  "sslmode",
  "sslrootcert",
  "user",
]

/**
 * Parameters of libpq whose values ask for what the gateway does anyway. Any other value is rejected, because a parameter
 * that is ignored may be the one that makes the connection safe.
 * https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
 */
const HARMLESS: Readonly<Record<string, RegExp>> = createTable({
  client_encoding: /^(utf-?8|auto)$/i,
  connect_timeout: /^\d+$/,
  fallback_application_name: /^/,
  gssencmode: /^(disable|prefer)$/,
  keepalives: /^1$/,
  keepalives_count: /^\d+$/,
  keepalives_idle: /^\d+$/,
  keepalives_interval: /^\d+$/,
  sslcompression: /^0$/,
  sslnegotiation: /^postgres$/,
  sslsni: /^1$/,
  target_session_attrs: /^(any|read-write|primary)$/,
  tcp_user_timeout: /^\d+$/,
})

/** @throws CommandError that names a parameter of a database URL which the gateway does not honor */
export function checkParameters(parameters: URLSearchParams): void {
  for (const [name, value] of parameters) {
    if (USED.includes(name) || HARMLESS[name]?.test(value)) continue
    const isKnown = Object.hasOwn(HARMLESS, name)
    const what = isKnown
      ? `the parameter ${name} with this value`
      : `the parameter ${JSON.stringify(name.slice(0, 60))}`
    throw new CommandError(`storage.postgres.url: ${what} is not supported: remove it (supported: ${USED.join(", ")})`)
  }
}

export function toChannelBinding(text: string | undefined): ChannelBinding | undefined {
  if (text === undefined) return undefined
  const found = CHANNEL_BINDINGS.find((each) => each === text)
  if (found !== undefined) return found
  throw new CommandError(`storage.postgres.url: expected a channel_binding of ${CHANNEL_BINDINGS.join(", ")}`)
}
