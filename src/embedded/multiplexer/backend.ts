import type { Engine } from "../engine.ts"
import { createOutputFilter } from "./output-filter.ts"
import { parseRows, type Rows } from "./rows.ts"
import type { Session } from "./session.ts"
import { createSharedSession } from "./shared-session.ts"
import type { Unit } from "./unit.ts"
import { toError, toQuery, toReady, toStartup } from "./wire.ts"

/** A running engine with the session that all clients share. It runs one thing at a time; the caller must wait. */
export interface Backend {
  /** The backend's response to a startup packet. Every client receives it. */
  readonly greeting: Buffer
  isDead(): boolean
  /** Runs a client's unit and sends the client the response. Rejects when the engine dies. */
  runUnit(session: Session, unit: Unit): Promise<void>
  /** Runs a statement of the multiplexer itself. Rejects with the backend's error. */
  runStatement(sql: string, limitMs: number): Promise<Rows>
  /** Removes what a client that has gone left in the session. */
  cleanUpAfter(session: Session): Promise<void>
}

interface BackendOptions {
  /** All connected clients. */
  readonly sessions: ReadonlySet<Session>
  /** While it returns true, statements that write are rejected (SQLSTATE 53100). */
  readonly isDiskLow: () => boolean
  /** How long the backend may work on a client's statement without sending anything, if the client does not say it. */
  readonly statementLimitMs: number
}

/** The limit for CREATE INDEX, COPY, VACUUM and the like. */
const LONG_LIMIT_MS = 30 * 60_000
const STARTUP_LIMIT_MS = 10_000
/** The limit for statements that keep the shared session in order. */
const HOUSEKEEPING_LIMIT_MS = 30_000

export async function createBackend(engine: Engine, options: BackendOptions): Promise<Backend> {
  const { sessions, isDiskLow, statementLimitMs } = options
  const greeting = await readResponse(engine, toStartup(), STARTUP_LIMIT_MS)
  const ask = (...messages: readonly Buffer[]) => readResponse(engine, Buffer.concat(messages), HOUSEKEEPING_LIMIT_MS)
  const shared = createSharedSession(ask, sessions)

  async function runUnit(session: Session, unit: Unit): Promise<void> {
    if (isDiskLow() && unit.kinds.some((kind) => kind.writes)) return rejectWrite(session, unit)
    if (session.status === "I") await shared.applySettings(session)
    const { before, droppedTypes } = shared.prepare(session, unit)
    const notifications: { readonly channel: string; readonly message: Buffer }[] = []
    let status = unit.flushes ? session.status : "E"
    const filter = createOutputFilter(droppedTypes, {
      onReady: (ready) => {
        status = ready
      },
      onNotification: (channel, message) => notifications.push({ channel, message }),
    })
    const pass = (chunk: Buffer): Promise<void> | undefined => {
      const pieces = filter.pass(chunk)
      return pieces.length > 0 ? session.write(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)) : undefined
    }
    const limitMs = toStatementLimit(session, unit) ?? statementLimitMs
    session.cancel = engine.cancel
    // The client may have left while its settings were applied.
    const running = engine.run(Buffer.concat([...before, ...unit.messages]), pass, limitMs)
    if (session.isGone) engine.cancel()
    await running.finally(() => (session.cancel = undefined))
    session.status = status
    for (const { channel, message } of notifications) {
      for (const listener of sessions) if (listener.channels.has(channel)) listener.write(message)
    }
    if (session.isTouched && status === "I") await shared.readChanges(session)
  }

  return {
    greeting,
    isDead: engine.isDead,
    runUnit,
    async runStatement(sql, limitMs) {
      await shared.applySettings(undefined)
      return parseRows(await readResponse(engine, toQuery(sql), limitMs))
    },
    cleanUpAfter: shared.cleanUpAfter,
  }
}

/**
 * Returns how long a unit may run: as the client says, in a comment (see statement-kind.ts) or as its statement_timeout,
 * which PGlite does not enforce by itself; else by the kind of the statement. Undefined stands for the default.
 */
function toStatementLimit({ settings }: Session, { kinds }: Unit): number | undefined {
  const given =
    Math.max(...kinds.map(({ timeoutMs = 0 }) => timeoutMs)) || toMilliseconds(settings.get("statement_timeout"))
  return given || (kinds.some(({ long }) => long) ? LONG_LIMIT_MS : undefined)
}

/** Parses a time of PostgreSQL's settings, such as `60000` (ms) or `5min`. Returns 0 when it is something else. */
function toMilliseconds(text = ""): number {
  const [, digits = "0", unit = "ms"] = /^\s*(\d+)\s*(ms|s|min|h|d)?\s*$/.exec(text) ?? []
  return Number(digits) * UNIT_MS[unit as keyof typeof UNIT_MS]
}

const UNIT_MS = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Sends messages to the backend and returns its complete response. */
async function readResponse(engine: Engine, messages: Buffer, limitMs: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  const collect = (chunk: Buffer) => {
    pieces.push(chunk)
    return undefined
  }
  await engine.run(messages, collect, limitMs)
  return Buffer.concat(pieces)
}

function rejectWrite(session: Session, unit: Unit): void {
  const message = "the disk of the embedded database is nearly full (less than 64 MB left): free some space"
  if (session.status !== "I" || unit.flushes) session.end("53100", message)
  else session.write(Buffer.concat([toError("ERROR", "53100", message), toReady("I")]))
}
