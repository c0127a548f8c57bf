import type { Socket } from "node:net"
import { createUnitBuilder, type Unit } from "./unit.ts"
import {
  CANCEL_REQUEST,
  COPY_IN_RESPONSE,
  createFrameReader,
  GSSENC_REQUEST,
  ProtocolError,
  parseStartup,
  SSL_REQUEST,
  toError,
  toNegotiateVersion,
} from "./wire.ts"

/** One client of the multiplexer. What is not readonly is written by the multiplexer. */
export interface Session {
  readonly pending: Unit[]
  /** Channels that it listens on. */
  readonly channels: Set<string>
  /** Backend names of its prepared statements that the backend has. */
  readonly known: Set<string>
  /** Settings that differ from the server's, by name; put back whenever this client gets the backend. */
  settings: ReadonlyMap<string, string>
  status: string
  /** The socket has closed: only cleaning up is left. */
  isGone: boolean
  /** A statement touched the session since its settings were last read. */
  isTouched: boolean
  hasTemporary: boolean
  /** When it began to sit in a transaction without a statement; ms of the monotonic clock. */
  idleSince: number | undefined
  /** Resolves when the client can take more. Undefined: at once. */
  write(bytes: Buffer): Promise<void> | undefined
  /** Reads on, if it had stopped because too much was waiting. */
  resume(): void
  /** Tells the client why, and hangs up. */
  end(sqlState: string, message: string): void
  statements(): Iterable<string>
}

export interface SessionEvents {
  /** The startup packet is here: send the greeting. */
  onStart(session: Session): void
  onUnit(session: Session): void
  onGone(session: Session): void
}

const MAX_PENDING_UNITS = 32
const MAX_PENDING_BYTES = 2 * 1024 * 1024
/** A client that takes nothing for so long while the one backend waits for it is cut. */
const STALL_LIMIT_MS = 10_000
/** Notifications that a client does not read. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024
const FAREWELL_MS = 1_000

export function createSession(socket: Socket, id: number, events: SessionEvents): Session {
  const reader = createFrameReader()
  const units = createUnitBuilder(`c${id}_`)
  let isStarted = false
  let draining: Promise<void> | undefined

  const isFull = () =>
    session.pending.length >= MAX_PENDING_UNITS ||
    session.pending.reduce((sum, unit) => sum + unit.bytes, 0) > MAX_PENDING_BYTES

  const session: Session = {
    pending: [],
    channels: new Set(),
    known: new Set(),
    settings: new Map(),
    status: "I",
    isGone: false,
    isTouched: false,
    hasTemporary: false,
    idleSince: undefined,
    write(bytes) {
      if (session.isGone || socket.destroyed) return undefined
      if (socket.writableLength > MAX_UNREAD_BYTES) socket.destroy()
      else if (!socket.write(bytes)) {
        draining ??= untilDrained(socket).finally(() => {
          draining = undefined
        })
      }
      return draining
    },
    resume() {
      if (isFull() || session.isGone) return
      socket.resume()
      read()
    },
    end(sqlState, message) {
      if (session.isGone) return
      if (socket.writable) socket.end(toError("FATAL", sqlState, message))
      socket.destroySoon()
      // One that does not read its error is not waited for.
      setTimeout(() => socket.destroy(), FAREWELL_MS).unref()
      leave()
    },
    statements: units.statements,
  }

  const leave = () => {
    if (session.isGone) return
    session.isGone = true
    session.pending.length = 0
    events.onGone(session)
  }

  function read(): void {
    try {
      while (!session.isGone && !isFull()) {
        if (!isStarted) {
          const packet = reader.nextStartup()
          if (!packet) return
          start(packet)
          continue
        }
        const message = reader.nextMessage()
        if (!message) return
        if (message[0] === 0x58) return void socket.end()
        const made = units.add(message)
        if (made === "copy-in") session.write(COPY_IN_RESPONSE)
        else if (made) {
          session.pending.push(made.unit)
          events.onUnit(session)
        }
      }
      if (!session.isGone) socket.pause()
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      session.end("08P01", error.message)
    }
  }

  function start(packet: Buffer): void {
    const { version, settings } = parseStartup(packet)
    if (version === CANCEL_REQUEST) return void socket.destroy()
    if (version === SSL_REQUEST || version === GSSENC_REQUEST) return void socket.write("N")
    if (version >> 16 !== 3) return void session.end("0A000", "the embedded database speaks protocol 3.0")
    if (version & 0xffff) {
      socket.write(toNegotiateVersion([...settings.keys()].filter((name) => name.startsWith("_pq_."))))
    }
    isStarted = true
    session.settings = toSessionSettings(settings)
    events.onStart(session)
  }

  socket.setNoDelay(true)
  socket.on("data", (chunk: Buffer) => {
    reader.push(chunk)
    read()
  })
  // A broken socket closes; "close" does the rest.
  socket.on("error", () => {})
  socket.on("close", leave)
  return session
}

function untilDrained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => socket.destroy(), STALL_LIMIT_MS)
    const done = () => {
      clearTimeout(timer)
      socket.off("drain", done).off("close", done)
      resolve()
    }
    socket.once("drain", done).once("close", done)
  })
}

/** What a startup packet asks for that differs from what every session has. */
function toSessionSettings(startup: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const settings = new Map<string, string>()
  for (const [, name, value] of (startup.get("options") ?? "").matchAll(/(?:-c\s*|--)([\w.]+)=((?:\\.|\S)*)/g)) {
    settings.set(name!, value!.replaceAll(/\\(.)/g, "$1"))
  }
  for (const [name, value] of startup) {
    const isConnection = /^(?:user|database|options|replication|application_name|_pq_\..*)$/.test(name)
    const isDefault = name === "client_encoding" && /^'?(?:utf-?8|unicode)'?$/i.test(value)
    if (!isConnection && !isDefault) settings.set(name, value)
  }
  return settings
}
