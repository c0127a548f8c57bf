import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { ConnectionOptions } from "node:tls"
import type { PoolConfig } from "pg"
import { CommandError } from "../core/errors.ts"
import { findHomeDirectory } from "../kit/home-directory.ts"
import type { TlsFallback } from "./connector.ts"
import type { Where } from "./failures.ts"
import type { Host } from "./hosts.ts"
import { type ChannelBinding, checkParameters, toChannelBinding } from "./url-parameters.ts"

const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const
type SslMode = (typeof SSL_MODES)[number]

/** The settings under `storage.postgres`. */
export interface PostgresOptions {
  readonly host: string | undefined
  readonly port: number | undefined
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  readonly sslmode: string | undefined
  readonly maxConns: number | undefined
  /** A connection string that replaces the parts. For the parameters of its query see `url-parameters.ts`. */
  readonly url: string | undefined
  /** The schema that contains the gateway's tables. Default: see `prepareSession`. */
  readonly schema: string | undefined
  /** Whether the user has set any of these settings. */
  readonly isSet: boolean
}

interface Connection {
  readonly config: PoolConfig
  /** All servers, beginning with that of `config`. */
  readonly hosts: readonly Host[]
  readonly tlsFallback: TlsFallback | undefined
  readonly requireChannelBinding: boolean
  readonly where: Where
}

/** Returns the options of a connection. `sslmode` means what it means in libpq. Throws a CommandError without the URL in it. */
export function toConnection(options: PostgresOptions): Connection {
  const parts = options.url ? parseUrl(options.url) : undefined
  const hosts = parts?.hosts ?? [{ host: options.host ?? "localhost", port: options.port ?? 5432 }]
  const { host, port } = hosts[0]!
  const user = parts?.user ?? options.user
  const database = parts ? (parts.database ?? user) : (options.database ?? "majordomo")
  const files = parts?.files ?? {}
  const sslmode = toSslMode(parts?.sslmode ?? options.sslmode, files)
  const ssl = hosts.every((each) => each.host.startsWith("/")) ? false : toTls(sslmode, files)
  const channelBinding = parts?.channelBinding
  if (channelBinding === "require" && ssl === false) {
    throw new CommandError(
      "storage.postgres.url: channel_binding=require needs TLS: set sslmode to require or verify-full",
    )
  }
  return {
    config: {
      host,
      port,
      user,
      password: parts?.password ?? options.password,
      database,
      ssl,
      max: options.maxConns ?? 20,
      ...(channelBinding !== "disable" && channelBinding !== undefined && { enableChannelBinding: true }),
      ...(parts?.applicationName !== undefined && { application_name: parts.applicationName }),
    },
    hosts,
    tlsFallback: ssl === false ? undefined : TLS_FALLBACKS[sslmode],
    requireChannelBinding: channelBinding === "require",
    where: { ...toPlace(hosts), user: user ?? "", database: database ?? "", sslmode },
  }
}

/** Names all servers as one: `a:5432,b` and the port of `b`. */
function toPlace(hosts: readonly Host[]): Host {
  const last = hosts.at(-1)!
  const others = hosts.slice(0, -1).map(({ host, port }) => `${host}:${port}`)
  return { host: [...others, last.host].join(","), port: last.port }
}

/** What to try when the first attempt is rejected because of its use of TLS. */
const TLS_FALLBACKS: Partial<Record<SslMode, TlsFallback>> = { allow: "tls", prefer: "plain" }

/** With the system's authorities, anyone can have a certificate, so that libpq accepts no mode that ignores its name. */
function toSslMode(given: string | undefined, { sslrootcert }: TlsFiles): SslMode {
  const text = given ?? (sslrootcert === "system" ? "verify-full" : "prefer")
  if (sslrootcert === "system" && text !== "verify-full") {
    throw new CommandError(`storage.postgres.url: sslrootcert=system needs sslmode=verify-full, got sslmode=${text}`)
  }
  const mode = SSL_MODES.find((each) => each === text)
  if (mode === undefined) {
    throw new CommandError(`storage.postgres.sslmode: expected one of ${SSL_MODES.join(", ")}, got "${text}"`)
  }
  return mode
}

type TlsFiles = Partial<Record<"sslrootcert" | "sslcert" | "sslkey", string>>

/** https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION */
function toTls(mode: SslMode, files: TlsFiles): ConnectionOptions | false {
  if (mode === "disable") return false
  const root = files.sslrootcert ?? findDefault("root.crt")
  const cert = files.sslcert ?? findDefault("postgresql.crt")
  const key = files.sslkey ?? (cert === undefined ? undefined : findDefault("postgresql.key"))
  const certificates = {
    ...(root && root !== "system" && { ca: readPem("sslrootcert", root) }),
    ...(cert && { cert: readPem("sslcert", cert) }),
    ...(key && { key: readPem("sslkey", key) }),
  }
  // When a certificate authority is given, libpq checks the chain in the mode `require` too.
  const checksChain = mode.startsWith("verify") || (mode === "require" && certificates.ca !== undefined)
  if (!checksChain) return { ...certificates, rejectUnauthorized: false }
  return mode === "verify-full" ? certificates : { ...certificates, checkServerIdentity: () => undefined }
}

/** Finds a file where libpq looks for it when it is not named. */
function findDefault(name: string): string | undefined {
  const path = join(findHomeDirectory(), ".postgresql", name)
  return existsSync(path) ? path : undefined
}

function readPem(name: string, path: string): string {
  let text: string
  try {
    text = readFileSync(path, "utf8")
  } catch {
    throw new CommandError(`storage.postgres.url: cannot read the file of ${name}: ${path}`)
  }
  // Node ignores a file of authorities that contains none.
  if (text.includes("-----BEGIN ")) return text
  throw new CommandError(`storage.postgres.url: the file of ${name} is not in PEM format: ${path}`)
}

interface UrlParts {
  readonly hosts: readonly Host[] | undefined
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  readonly sslmode: string | undefined
  readonly channelBinding: ChannelBinding | undefined
  readonly applicationName: string | undefined
  readonly files: TlsFiles
}

function parseUrl(text: string): UrlParts {
  const toError = (why: string) =>
    new CommandError(`storage.postgres.url: expected postgres://USER:PASSWORD@HOST:PORT/DATABASE, ${why}`)
  // The URL standard requires a host, libpq does not: postgres:///name?host=/run/postgresql. It knows no list of hosts.
  const [, start = "", list = "", rest = ""] = /^(postgres(?:ql)?:\/\/(?:[^/?#]*@)?)([^/?#]*)(.*)$/s.exec(text) ?? []
  let url: URL
  try {
    url = new URL(start === "" ? text : `${start}localhost${rest}`)
  } catch {
    throw toError("got something else (is a character of the password not percent-encoded?)")
  }
  if (!/^postgres(ql)?:$/.test(url.protocol)) throw toError(`got the scheme ${url.protocol.slice(0, -1)}`)
  const decode = (part: string) => {
    try {
      return part === "" ? undefined : decodeURIComponent(part)
    } catch {
      throw toError("got a percent sign that encodes nothing")
    }
  }
  checkParameters(url.searchParams)
  const parameter = (name: string) => url.searchParams.get(name) ?? undefined
  return {
    hosts: toHosts({ list, host: parameter("host"), port: parameter("port") }, decode, toError),
    user: decode(url.username) ?? parameter("user"),
    password: decode(url.password) ?? parameter("password"),
    database: decode(url.pathname.replace(/^\//, "")) ?? parameter("dbname"),
    sslmode: parameter("sslmode"),
    channelBinding: toChannelBinding(parameter("channel_binding")),
    applicationName: parameter("application_name"),
    files: { sslrootcert: parameter("sslrootcert"), sslcert: parameter("sslcert"), sslkey: parameter("sslkey") },
  }
}

const DEFAULT_PORT = 5432

/** Reads `a:5432,b`, or the parameters `host=a,b` and `port=5432,5433`; one port holds for all hosts. */
function toHosts(
  given: { readonly list: string; readonly host: string | undefined; readonly port: string | undefined },
  decode: (part: string) => string | undefined,
  toError: (why: string) => CommandError,
): readonly Host[] | undefined {
  if (given.list === "" && given.host === undefined) {
    return given.port === undefined ? undefined : [{ host: "localhost", port: toPort(given.port, toError) }]
  }
  const ports = given.port?.split(",") ?? []
  const names = given.host?.split(",") ?? given.list.split(",")
  const listed = given.list.split(",").map((each) => /^(.*?)(?::([^:\]]*))?$/s.exec(each)!)
  return names.map((name, n) => {
    const [, text = "", own] = given.host === undefined ? listed[n]! : [undefined, name, listed[n]?.[2]]
    const port = own || (ports[n] ?? ports[0])
    return {
      host: decode(text)?.replace(/^\[(.*)\]$/, "$1") ?? "localhost",
      port: port === undefined ? DEFAULT_PORT : toPort(port, toError),
    }
  })
}

function toPort(text: string, toError: (why: string) => CommandError): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65535) return Number(text)
  throw toError(`got the port "${text}"`)
}
