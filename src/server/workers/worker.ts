import cluster from "node:cluster"
import { CommandError } from "../../core/errors.ts"
import { combine, type Metric } from "../prometheus.ts"
import { type RunningServer, type ServerOptions, startServer } from "../start.ts"
import type { ToPrimary, ToWorker } from "./messages.ts"

const ANSWER_TIMEOUT_MS = 2000

export function isWorker(): boolean {
  return cluster.isWorker
}

/** One of several processes that share a port. Its own `stop` tells the primary how its rows stand. */
export interface RunningWorker extends RunningServer {
  /** The primary asks for it, or is gone. */
  readonly stopAsked: Promise<string>
}

/** Runs this process as a worker of `startPrimary`. */
export async function startWorker(options: ServerOptions): Promise<RunningWorker> {
  const answers = new Map<number, (metrics: readonly Metric[]) => void>()
  let server: RunningServer | undefined
  let asked = 0
  let start: (port: number) => void
  let askStop: (reason: string) => void
  const started = new Promise<number>((resolve) => {
    start = resolve
  })
  const stopAsked = new Promise<string>((resolve) => {
    askStop = resolve
  })
  process.on("message", (message: ToWorker) => {
    if (message.say === "start") start(message.port)
    else if (message.say === "stop") askStop("the primary process stops")
    else if (message.say === "collect") tell({ say: "collected", id: message.id, metrics: server?.collect() ?? [] })
    else if (message.say === "all") answers.get(message.id)?.(message.metrics)
  })
  cluster.worker?.once("disconnect", () => {
    // Else node ends this process at once, and running answers with it.
    if (cluster.worker) cluster.worker.exitedAfterDisconnect = true
    askStop("the primary process is gone")
  })

  /** The metrics of all processes; of this one alone when the primary does not answer. */
  function collectAll(own: readonly Metric[]): Promise<readonly Metric[]> {
    const id = asked++
    return new Promise((resolve) => {
      const settle = (metrics: readonly Metric[]) => {
        clearTimeout(timer)
        answers.delete(id)
        resolve(metrics)
      }
      const timer = setTimeout(() => settle(combine([own])), ANSWER_TIMEOUT_MS)
      answers.set(id, settle)
      tell({ say: "asking", id })
    })
  }

  tell({ say: "hello" })
  try {
    const running = await startServer({ ...options, worker: { port: await started, collectAll } })
    server = running
    tell({ say: "ready", host: running.host, port: running.port, modelCount: running.modelCount })
    const stop = async () => {
      const stats = await running.stop()
      await send({ say: "stopped", stats })
      return stats
    }
    return { ...running, stop, stopAsked }
  } catch (error) {
    if (error instanceof CommandError) await send({ say: "refused", message: error.message })
    process.disconnect?.() // it would keep this process
    throw error
  }
}

function tell(message: ToPrimary): void {
  void send(message)
}

/** Resolves when the message is on its way, or cannot be. */
function send(message: ToPrimary): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected && process.send) process.send(message, undefined, undefined, () => resolve())
    else resolve()
  })
}
