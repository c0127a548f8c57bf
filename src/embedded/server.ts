import { chmodSync } from "node:fs"
import { setTimeout as delay } from "node:timers/promises"
import { type Engine, startEngine } from "./engine.ts"
import { createMultiplexer, type MultiplexerOptions } from "./multiplexer.ts"
import { createUpkeep } from "./upkeep.ts"

/** A PostgreSQL server on a socket: engine, multiplexer and upkeep. It replaces an engine that dies. */
export interface EmbeddedServer {
  /** The number of fsync calls of the current engine, for files and directories. */
  syncCount(): number
  /** Lets clients finish for `graceMs`, disconnects the rest (57P01), and shuts PostgreSQL down with a checkpoint. */
  close(graceMs: number): Promise<void>
}

interface EmbeddedServerOptions {
  readonly workerUrl: URL
  /** The directory of the cluster. */
  readonly directory: string
  readonly socket: string
  readonly log: (line: string) => void
  /** Until when the engine may write to the directory: see `Lock`. Without it, for ever. */
  readonly validUntil?: Float64Array
  readonly limits?: Pick<MultiplexerOptions, "idleTransactionMs" | "statementLimitMs" | "maxClients">
}

const RETRY_MS = [100, 1_000, 5_000, 15_000]

export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const { workerUrl, directory, socket, log, limits, validUntil } = options
  const upkeep = createUpkeep(directory, log)
  const multiplexer = createMultiplexer({ isDiskLow: upkeep.isDiskLow, log, ...limits })
  const closing = new AbortController()
  let engine = await startEngine(workerUrl, directory, validUntil)
  let restart: Promise<void> = Promise.resolve()

  const watch = (watched: Engine) => {
    watched.died.then((reason) => {
      if (closing.signal.aborted) return
      log(`embedded database: restarting, because ${reason}`)
      multiplexer.detach()
      restart = replace(watched)
    })
  }

  async function replace(dead: Engine): Promise<void> {
    // Two backends on one directory would destroy it, so the old thread must be gone first.
    await dead.close()
    for (let attempt = 0; !closing.signal.aborted; attempt++) {
      try {
        engine = await startEngine(workerUrl, directory, validUntil)
        await multiplexer.attach(engine)
        return watch(engine)
      } catch (error) {
        log(`embedded database: restart failed: ${(error as Error).message}`)
        await engine.close()
        const waitMs = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]
        await delay(waitMs, undefined, { signal: closing.signal }).catch(() => {})
      }
    }
  }

  try {
    await multiplexer.attach(engine)
    await multiplexer.listen(socket)
    if (process.platform !== "win32") chmodSync(socket, 0o600)
  } catch (error) {
    await engine.close()
    throw error
  }
  watch(engine)
  upkeep.start(multiplexer)

  return {
    syncCount: () => engine.syncCount(),
    async close(graceMs) {
      closing.abort()
      upkeep.stop()
      await multiplexer.close(graceMs)
      await restart
      await engine.close()
    },
  }
}
