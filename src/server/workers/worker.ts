import cluster from "node:cluster"
import { deserialize } from "node:v8"
import { version } from "../../../package.json"
import type { Settings } from "../../config/settings.ts"
import { CommandError } from "../../core/errors.ts"
import type { ServerOptions } from "../options.ts"
import { combine, type Metric } from "../prometheus.ts"
import { type RunningServer, startServer } from "../start.ts"
import type { ToPrimary, ToWorker } from "./messages.ts"
import { createQuestions } from "./questions.ts"

const ANSWER_TIMEOUT_MS = 2000
/** How often the primary process learns the numbers of the rows. A worker that is killed takes later ones with it. */
const COUNT_INTERVAL_MS = 500

export function isWorker(): boolean {
  return cluster.isWorker
}

/** One of several processes that share a port. Its `stop` also reports its final numbers to the primary process. */
interface RunningWorker extends RunningServer {
  /** Resolves with the reason when the primary process asks the worker to stop, or is gone. */
  readonly stopAsked: Promise<string>
  /** Whether the primary process decides when this worker ends. */
  hasPrimary(): boolean
}

/**
 * Runs this process as a worker of `startPrimary`. It gets its settings from there, because files may have changed since
 * the start, and a worker that replaces another one must not differ from it.
 */
export async function startWorker(options: Omit<ServerOptions, "settings" | "worker">): Promise<RunningWorker> {
  const questions = createQuestions<readonly Metric[]>(ANSWER_TIMEOUT_MS)
  let server: RunningServer | undefined
  let reportCounts = () => {}
  let missing = 1 // Until the primary process says that all workers are up.
  let start: (message: Extract<ToWorker, { type: "start" }>) => void
  let askStop: (reason: string) => void
  const started = new Promise<Parameters<typeof start>[0]>((resolve) => {
    start = resolve
  })
  const stopAsked = new Promise<string>((resolve) => {
    askStop = resolve
  })
  process.on("message", (message: ToWorker) => {
    if (message.type === "start") start(message)
    else if (message.type === "stop") askStop("the primary process stops")
    else if (message.type === "missing") missing = message.count
    else if (message.type === "collect") {
      // The last log line has what `/metrics` has shown, also if this worker is killed before its next report.
      reportCounts()
      post({ type: "collected", id: message.id, metrics: server?.collect() ?? [] })
    } else questions.answer(message.id, message.metrics)
  })
  cluster.worker?.once("disconnect", () => {
    // Otherwise Node ends this process at once, together with its running requests.
    if (cluster.worker) cluster.worker.exitedAfterDisconnect = true
    askStop("the primary process is gone")
  })

  /**
   * Returns the metrics of all processes, or of this process alone when the primary does not answer. Lifelong counters
   * are then left out, because they would go backwards.
   */
  const collectAll = (own: readonly Metric[], isScrape: boolean) => {
    const alone = combine([own.filter(({ isLifelong }) => !isLifelong)])
    return questions.ask((id) => post({ type: "collect-all", id, isScrape }), alone)
  }

  post({ type: "online" })
  try {
    const primary = await started
    if (primary.version !== version) {
      throw new CommandError(
        `the program on the disk is version ${version} now, and the running gateway is ${primary.version}: restart the gateway`,
      )
    }
    const running = await startServer({
      ...options,
      settings: deserialize(Buffer.from(primary.settings, "base64")) as Settings,
      worker: { port: primary.port, collectAll, missing: () => missing },
    })
    server = running
    const { host, port, modelCount, slot } = running
    post({ type: "ready", host, port, modelCount, slot })
    reportCounts = createCountReport(running)
    const reports = setInterval(reportCounts, COUNT_INTERVAL_MS).unref()
    const stop = async () => {
      const stats = await running.stop()
      clearInterval(reports)
      await send({ type: "stopped", stats, metrics: running.collect() })
      return stats
    }
    return { ...running, stop, stopAsked, hasPrimary: () => process.connected }
  } catch (error) {
    const message = error instanceof CommandError ? error.message : `internal error: ${(error as Error).stack}`
    await send({ type: "failed", message })
    process.disconnect?.() // The open channel would keep this process running.
    throw new CommandError("") // The primary process logs the message in its own format.
  }
}

/** Returns a function that sends the numbers of the rows if they have changed. */
function createCountReport({ stats }: RunningServer): () => void {
  let sent = ""
  return () => {
    const { accepted, written, rejected, dropped, waiting } = stats()
    const key = `${accepted} ${written} ${rejected} ${dropped} ${waiting}`
    if (key !== sent) post({ type: "counted", stats: stats() })
    sent = key
  }
}

function post(message: ToPrimary): void {
  void send(message)
}

/** Resolves when the message was sent, or cannot be sent. */
function send(message: ToPrimary): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected && process.send) process.send(message, undefined, undefined, () => resolve())
    else resolve()
  })
}
