import { createServer } from "node:net"
import type { Engine } from "./engine.ts"
import { createBackend } from "./multiplexer/backend.ts"
import type { Rows } from "./multiplexer/rows.ts"
import { Scheduler } from "./multiplexer/scheduler.ts"
import { createSession, type Session } from "./multiplexer/session.ts"

/** Lets many clients of a Unix socket share one backend. */
export interface Multiplexer {
  /** Starts to use this backend. */
  attach(engine: Engine): Promise<void>
  /** Stops to use the backend. Every client is disconnected with `57P01`; new ones wait for the next `attach`. */
  detach(): void
  /** Runs a statement between those of the clients and returns its rows. Rejects with the backend's error. */
  run(sql: string, limitMs: number): Promise<Rows>
  isIdle(): boolean
  /** The number of clients' units that ran so far. */
  unitCount(): number
  listen(path: string): Promise<void>
  /** Takes no new clients, lets the present ones finish for `graceMs`, then disconnects them. */
  close(graceMs: number): Promise<void>
}

export interface MultiplexerOptions {
  /** While it returns true, statements that write are rejected (SQLSTATE 53100). */
  readonly isDiskLow: () => boolean
  readonly log: (line: string) => void
  /** How long a client may stay idle in a transaction while others wait. Default: 5 s. */
  readonly idleTransactionMs?: number
  /**
   * How long the backend may work on a client's statement without sending anything, before the statement is canceled. A
   * client can give another time. Default: 60 s.
   */
  readonly statementLimitMs?: number
  /** Default: 100. */
  readonly maxClients?: number
}

const STOPPED = "terminating connection: the embedded database stopped"

export function createMultiplexer(options: MultiplexerOptions): Multiplexer {
  const { isDiskLow, log, idleTransactionMs = 5_000, statementLimitMs = 60_000, maxClients = 100 } = options
  const sessions = new Set<Session>()
  /** Clients that wait for a backend and its greeting. */
  const ungreeted = new Set<Session>()
  const scheduler = new Scheduler({ sessions, idleTransactionMs, log })
  let nextId = 1

  const server = createServer((socket) => {
    const session = createSession(socket, nextId++, {
      onStart(started) {
        if (scheduler.backend) started.write(scheduler.backend.greeting)
        else ungreeted.add(started)
      },
      onUnit: (busy) => scheduler.enqueue(busy),
      onGone(gone) {
        ungreeted.delete(gone)
        if (sessions.has(gone)) scheduler.enqueue(gone)
      },
    })
    if (sessions.size >= maxClients) return session.end("53300", "sorry, too many clients already")
    sessions.add(session)
  })

  return {
    async attach(engine) {
      const backend = await createBackend(engine, { sessions, isDiskLow, statementLimitMs })
      for (const session of ungreeted) session.write(backend.greeting)
      ungreeted.clear()
      scheduler.attach(backend)
    },
    detach() {
      scheduler.detach()
      for (const session of [...sessions].filter((each) => !ungreeted.has(each))) {
        sessions.delete(session)
        session.end("57P01", STOPPED)
      }
    },
    run: (sql, limitMs) => scheduler.run(sql, limitMs),
    isIdle: () => scheduler.isIdle,
    unitCount: () => scheduler.unitCount,
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
      const timer = setTimeout(() => {
        for (const session of sessions) session.end("57P01", STOPPED)
      }, graceMs)
      await closed
      clearTimeout(timer)
      // The clients that left last need no cleanup any more.
      await scheduler.stop()
    },
  }
}
