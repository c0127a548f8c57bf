import { createServer } from "node:net"
import { createOutputFilter, parseRows } from "./backend-output.ts"
import type { Engine } from "./engine.ts"
import { createSession, type Session } from "./session.ts"
import { answerOf, createSharedSession, type SharedSession } from "./shared-session.ts"
import type { Unit } from "./unit.ts"
import { toError, toQuery, toReady, toStartup } from "./wire.ts"

type Rows = (string | undefined)[][]

/**
 * Many clients, one backend. A client owns the backend from its first message until it is out of a transaction
 * (ReadyForQuery `I`); the others wait in line.
 */
export interface Multiplexer {
  /** Uses this backend from now on. */
  attach(engine: Engine): Promise<void>
  /** The backend is gone: every client gets `57P01` and is cut; new ones wait for the next `attach`. */
  detach(): void
  /** Runs a statement between those of the clients and gives its rows as text. Rejects with the backend's error. */
  run(sql: string, limitMs: number): Promise<Rows>
  isIdle(): boolean
  /** Units run for clients so far. */
  unitCount(): number
  listen(path: string): Promise<void>
  /** Takes no more clients, lets those that are here finish for `graceMs`, then cuts them. */
  close(graceMs: number): Promise<void>
}

export interface MultiplexerOptions {
  /** While true, statements that write are refused (SQLSTATE 53100). */
  readonly isDiskLow: () => boolean
  readonly log: (line: string) => void
  /** How long a client may sit in a transaction while others wait. */
  readonly idleTransactionMs?: number
  /** How long the backend may work on a client's statement without a word. */
  readonly statementLimitMs?: number
  readonly maxClients?: number
}

/** CREATE INDEX, COPY, VACUUM and the like. */
const LONG_LIMIT_MS = 30 * 60_000
const STARTUP_LIMIT_MS = 10_000

interface Job {
  readonly sql: string
  readonly limitMs: number
  resolve(rows: Rows): void
  reject(error: Error): void
}

export function createMultiplexer(options: MultiplexerOptions): Multiplexer {
  const { isDiskLow, log, idleTransactionMs = 5_000, statementLimitMs = 60_000, maxClients = 100 } = options
  const sessions = new Set<Session>()
  const ungreeted = new Set<Session>()
  const line: Session[] = []
  const jobs: Job[] = []
  let backend: { readonly engine: Engine; readonly shared: SharedSession; readonly greeting: Buffer } | undefined
  let owner: Session | undefined
  let isPumping = false
  let pumping: Promise<void> = Promise.resolve()
  let idleTimer: NodeJS.Timeout | undefined
  let nextId = 1
  let units = 0

  const server = createServer((socket) => {
    const session = createSession(socket, nextId++, {
      onStart(started) {
        if (backend) started.write(backend.greeting)
        else ungreeted.add(started)
      },
      onUnit: enqueue,
      onGone(gone) {
        ungreeted.delete(gone)
        if (sessions.has(gone)) enqueue(gone)
      },
    })
    if (sessions.size >= maxClients) return session.end("53300", "sorry, too many clients already")
    sessions.add(session)
  })

  function enqueue(session: Session): void {
    if (session !== owner && !line.includes(session)) line.push(session)
    pump()
    cutIdleOwner()
  }

  function pump(): void {
    if (!isPumping) pumping = work()
  }

  async function work(): Promise<void> {
    isPumping = true
    const current = backend
    let failed = false
    try {
      while (current && current === backend) {
        if (!owner && jobs.length > 0) await runJob(jobs.shift()!)
        else {
          owner ??= line.shift()
          if (!owner || !(await serve(owner))) return
        }
      }
    } catch (error) {
      // A dead backend is detached by its watcher. Anything else is a fault of ours, and costs the client it met.
      if (!current?.engine.isDead()) {
        failed = true
        log(`embedded database: ${(error as Error).message}`)
        owner?.end("XX000", "internal error of the embedded database")
      }
    } finally {
      isPumping = false
    }
    if (backend && (failed || backend !== current)) pump()
  }

  /** One step for the owner. False: it owns the backend and has nothing to run. */
  async function serve(session: Session): Promise<boolean> {
    const unit = session.pending.shift()
    if (session.isGone) {
      owner = undefined
      sessions.delete(session)
      await backend!.shared.cleanUpAfter(session)
    } else if (unit) {
      session.idleSince = undefined
      await runUnit(session, unit)
      session.resume()
      if (session.status !== "I" || unit.flushes) return true
    } else if (session.status !== "I") {
      session.idleSince ??= performance.now()
      cutIdleOwner()
      return false
    }
    if (owner === session) owner = undefined
    if (sessions.has(session) && (session.pending.length > 0 || session.isGone)) line.push(session)
    return true
  }

  /** A client that sits in its transaction harms nobody until somebody waits. */
  function cutIdleOwner(): void {
    clearTimeout(idleTimer)
    const since = owner?.idleSince
    if (since === undefined || (line.length === 0 && jobs.length === 0)) return
    const leftMs = since + idleTransactionMs - performance.now()
    if (leftMs > 0) idleTimer = setTimeout(cutIdleOwner, Math.ceil(leftMs))
    else owner!.end("25P03", "terminating connection due to idle-in-transaction timeout")
  }

  async function runJob(job: Job): Promise<void> {
    const { engine, shared } = backend!
    try {
      await shared.applySettings(undefined)
      job.resolve(parseRows(await answerOf(engine, toQuery(job.sql), job.limitMs)))
    } catch (error) {
      job.reject(error as Error)
    }
  }

  async function runUnit(session: Session, unit: Unit): Promise<void> {
    const { engine, shared } = backend!
    if (isDiskLow() && unit.kinds.some((kind) => kind.writes)) return refuse(session, unit)
    if (session.status === "I") await shared.applySettings(session)
    const { again, swallow } = shared.prepare(session, unit)
    const notifications: { readonly channel: string; readonly message: Buffer }[] = []
    let status = unit.flushes ? session.status : "E"
    const filter = createOutputFilter(swallow, {
      onReady: (ready) => {
        status = ready
      },
      onNotification: (channel, message) => notifications.push({ channel, message }),
    })
    const pass = (chunk: Buffer): Promise<void> | undefined => {
      const pieces = filter.pass(chunk)
      return pieces.length > 0 ? session.write(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)) : undefined
    }
    const limitMs = unit.kinds.some((kind) => kind.long) ? LONG_LIMIT_MS : statementLimitMs
    units++
    await engine.run(Buffer.concat([...again, ...unit.messages]), pass, limitMs)
    session.status = status
    for (const { channel, message } of notifications) {
      for (const listener of sessions) if (listener.channels.has(channel)) listener.write(message)
    }
    if (session.isTouched && status === "I") await shared.learn(session)
  }

  return {
    async attach(engine) {
      const greeting = await answerOf(engine, toStartup(), STARTUP_LIMIT_MS)
      backend = { engine, shared: createSharedSession(engine, sessions), greeting }
      for (const session of ungreeted) session.write(greeting)
      ungreeted.clear()
      pump()
    },
    detach() {
      backend = undefined
      owner = undefined
      clearTimeout(idleTimer)
      const cut = [...sessions].filter((session) => !ungreeted.has(session))
      for (const session of cut) {
        sessions.delete(session)
        session.end("57P01", "terminating connection: the embedded database stopped")
      }
      line.length = 0
      for (const job of jobs.splice(0)) job.reject(new Error("the embedded database stopped"))
    },
    run: (sql, limitMs) =>
      new Promise((resolve, reject) => {
        if (!backend) return reject(new Error("the embedded database stopped"))
        jobs.push({ sql, limitMs, resolve, reject })
        pump()
        cutIdleOwner()
      }),
    isIdle: () => !owner && !isPumping && line.length === 0 && jobs.length === 0,
    unitCount: () => units,
    listen: (path) =>
      new Promise((resolve, reject) => {
        server.once("error", reject)
        server.listen({ path, exclusive: true }, () => {
          server.off("error", reject)
          resolve()
        })
      }),
    async close(graceMs) {
      const closed = new Promise((resolve) => server.close(resolve))
      const cut = setTimeout(() => {
        for (const session of sessions) session.end("57P01", "terminating connection: the embedded database stopped")
      }, graceMs)
      await closed
      clearTimeout(cut)
      // Who has just left needs no cleaning up after any more.
      backend = undefined
      await pumping
    },
  }
}

function refuse(session: Session, unit: Unit): void {
  const message = "the disk of the embedded database is nearly full (less than 64 MB left): free some space"
  if (session.status !== "I" || unit.flushes) session.end("53100", message)
  else session.write(Buffer.concat([toError("ERROR", "53100", message), toReady("I")]))
}
