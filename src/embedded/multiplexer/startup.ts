import { PROTOCOL_3, toMessage } from "./wire.ts"

/** Codes that a client sends in place of the protocol version. */
const SSL_REQUEST = 80_877_103
const GSSENC_REQUEST = 80_877_104
const CANCEL_REQUEST = 80_877_102

/** How the multiplexer answers a startup packet. */
type Startup =
  /** The client asks for encryption, which a Unix socket does not need. It may go on without. */
  | { readonly kind: "encryption" }
  /** The client asks to cancel a statement, which PGlite cannot do. */
  | { readonly kind: "cancel" }
  | { readonly kind: "unsupported" }
  | {
      readonly kind: "session"
      /** The settings that the client asks for and that differ from the server's, by name. */
      readonly settings: ReadonlyMap<string, string>
      /** A message to send before the greeting, for a client that asks for a newer protocol 3.x. */
      readonly negotiation: Buffer | undefined
    }

export function parseStartup(packet: Buffer): Startup {
  const version = packet.readInt32BE(4)
  if (version === SSL_REQUEST || version === GSSENC_REQUEST) return { kind: "encryption" }
  if (version === CANCEL_REQUEST) return { kind: "cancel" }
  if (version >> 16 !== 3) return { kind: "unsupported" }
  const parameters = parseParameters(packet)
  const extensions = [...parameters.keys()].filter((name) => name.startsWith("_pq_."))
  const negotiation = version & 0xffff ? toNegotiateVersion(extensions) : undefined
  return { kind: "session", settings: toSessionSettings(parameters), negotiation }
}

/** Reads the pairs of name and value in a startup packet. */
function parseParameters(packet: Buffer): ReadonlyMap<string, string> {
  const fields = packet.toString("utf8", 8).split("\0")
  const parameters = new Map<string, string>()
  for (let at = 0; at + 1 < fields.length && fields[at] !== ""; at += 2) parameters.set(fields[at]!, fields[at + 1]!)
  return parameters
}

/** NegotiateProtocolVersion: offers protocol 3.0 and rejects the extensions that the client asked for. */
function toNegotiateVersion(extensions: readonly string[]): Buffer {
  const counts = Buffer.alloc(8)
  counts.writeInt32BE(PROTOCOL_3, 0)
  counts.writeInt32BE(extensions.length, 4)
  return toMessage("v", counts, ...extensions.map((name) => `${name}\0`))
}

function toSessionSettings(parameters: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const settings = new Map<string, string>()
  for (const [, name, value] of (parameters.get("options") ?? "").matchAll(/(?:-c\s*|--)([\w.]+)=((?:\\.|\S)*)/g)) {
    settings.set(name!, value!.replaceAll(/\\(.)/g, "$1"))
  }
  for (const [name, value] of parameters) {
    const isConnection = /^(?:user|database|options|replication|application_name|_pq_\..*)$/.test(name)
    const isDefault = name === "client_encoding" && /^'?(?:utf-?8|unicode)'?$/i.test(value)
    if (!isConnection && !isDefault) settings.set(name, value)
  }
  return settings
}
