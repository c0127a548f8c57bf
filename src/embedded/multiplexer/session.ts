import type { Socket } from "node:net"
import { createFrameReader } from "./frames.ts"
import { createSocketWriter } from "./socket-writer.ts"
import { parseStartup } from "./startup.ts"
import type { Unit } from "./unit.ts"
import { UnitBuilder } from "./unit-builder.ts"
import { COPY_IN_RESPONSE, ProtocolError, toError } from "./wire.ts"

/** One client of the multiplexer. The multiplexer writes the fields that are not readonly. */
export interface Session {
  /** Units that the client has sent and that have not run yet. */
  readonly pending: Unit[]
  /** The channels that the client listens on. */
  readonly channels: Set<string>
  /** The backend's names of the client's prepared statements that the backend currently has. */
  readonly prepared: Set<string>
  /** The settings that differ from the server's, by name. They are applied whenever this client gets the backend. */
  settings: ReadonlyMap<string, string>
  /** The transaction status of the last ReadyForQuery: `I` idle, `T` in a transaction, `E` in a failed one. */
  status: string
  /** True after the socket has closed. Only cleanup is left. */
  isGone: boolean
  /** True when a statement may have changed the session since its settings were last read. */
  isTouched: boolean
  hasTemporary: boolean
  /** The time since which the client has been idle in a transaction; ms of the monotonic clock. */
  idleSince: number | undefined
  /** Cancels the client's unit that runs now; undefined when none runs. */
  cancel: (() => void) | undefined
  /** Writes to the client. The promise resolves when the client can take more; undefined means at once. */
  write(bytes: Buffer): Promise<void> | undefined
  /** Reads further messages, if reading stopped because too many units were pending. */
  resume(): void
  /** Sends the client a fatal error and closes the connection. */
  end(sqlState: string, message: string): void
}

interface SessionEvents {
  /** The startup packet has arrived, and the greeting must be sent. */
  onStart(session: Session): void
  onUnit(session: Session): void
  onGone(session: Session): void
}

const MAX_PENDING_UNITS = 32
const MAX_PENDING_BYTES = 2 * 1024 * 1024
/** How long a client may take to read the error with which its connection is closed. */
const FAREWELL_MS = 1_000

export function createSession(socket: Socket, id: number, events: SessionEvents): Session {
  const write = createSocketWriter(socket)
  const reader = createMessageReader(socket, id, {
    isFull: () => isFull(session),
    isGone: () => session.isGone,
    onStart(settings) {
      session.settings = settings
      events.onStart(session)
    },
    onUnit(unit) {
      session.pending.push(unit)
      events.onUnit(session)
    },
    write: (bytes) => void session.write(bytes),
    end: (sqlState, message) => session.end(sqlState, message),
  })
  const leave = () => {
    if (session.isGone) return
    session.isGone = true
    session.pending.length = 0
    session.cancel?.()
    events.onGone(session)
  }
  const session: Session = {
    pending: [],
    channels: new Set(),
    prepared: new Set(),
    settings: new Map(),
    status: "I",
    isGone: false,
    isTouched: false,
    hasTemporary: false,
    idleSince: undefined,
    cancel: undefined,
    write: (bytes) => (session.isGone ? undefined : write(bytes)),
    resume() {
      if (isFull(session) || session.isGone) return
      socket.resume()
      reader.read()
    },
    end(sqlState, message) {
      if (session.isGone) return
      if (socket.writable) socket.end(toError("FATAL", sqlState, message))
      socket.destroySoon()
      // A client that does not read its error must not keep the connection open.
      setTimeout(() => socket.destroy(), FAREWELL_MS).unref()
      leave()
    },
  }
  socket.setNoDelay(true)
  socket.on("data", reader.push)
  // The "close" event follows an "error" event and does the work.
  socket.on("error", () => {})
  socket.on("close", leave)
  return session
}

function isFull({ pending }: Session): boolean {
  return pending.length >= MAX_PENDING_UNITS || pending.reduce((sum, unit) => sum + unit.bytes, 0) > MAX_PENDING_BYTES
}

/** The parts of a session that its message reader uses. */
interface MessageReceiver {
  isFull(): boolean
  isGone(): boolean
  onStart(settings: ReadonlyMap<string, string>): void
  onUnit(unit: Unit): void
  write(bytes: Buffer): void
  end(sqlState: string, message: string): void
}

/** Creates the reader that turns a client's bytes into its startup and its units. It pauses the socket when full. */
function createMessageReader(socket: Socket, id: number, receiver: MessageReceiver) {
  const frames = createFrameReader()
  const units = new UnitBuilder(`c${id}_`)
  let isStarted = false

  /** Handles one packet. Returns false when no complete one is there, or when no more must be read. */
  function readOne(): boolean {
    const packet = isStarted ? frames.nextMessage() : frames.nextStartup()
    if (!packet) return false
    if (!isStarted) start(packet)
    else if (isTerminate(packet)) {
      socket.end()
      return false
    } else {
      const added = units.add(packet)
      if (added === "copy-in") receiver.write(COPY_IN_RESPONSE)
      else if (added) receiver.onUnit(added.unit)
    }
    return true
  }

  function start(packet: Buffer): void {
    const startup = parseStartup(packet)
    if (startup.kind === "cancel") return void socket.destroy()
    if (startup.kind === "encryption") return void socket.write("N")
    if (startup.kind === "unsupported")
      return void receiver.end("0A000", "the embedded database supports only protocol 3.0")
    if (startup.negotiation) socket.write(startup.negotiation)
    isStarted = true
    receiver.onStart(startup.settings)
  }

  function read(): void {
    try {
      while (!receiver.isGone() && !receiver.isFull()) if (!readOne()) return
      if (!receiver.isGone()) socket.pause()
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      receiver.end("08P01", error.message)
    }
  }

  const push = (chunk: Buffer) => {
    frames.push(chunk)
    read()
  }
  return { push, read }
}

const isTerminate = (message: Buffer): boolean => message[0] === 0x58
