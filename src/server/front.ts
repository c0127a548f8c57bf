import type { Gateway } from "../gateway/pipeline.ts"
import { createApp } from "./app.ts"
import type { ConnectionCounter } from "./connections.ts"
import { drainRequests } from "./drain.ts"
import { startListening } from "./listen.ts"
import type { ServerOptions } from "./options.ts"
import { createProbe, type ProbeOptions } from "./probe.ts"
import { type Metric, toText } from "./prometheus.ts"

/** The HTTP side of the server: the listener, the gateway's own routes and the proxied requests. */
interface Front {
  readonly host: string
  readonly port: number
  /** Takes no new connections and waits for running requests; aborts them after `timeoutMs`. */
  drain(timeoutMs: number): Promise<void>
}

/** The parts of the server that its HTTP side uses. */
interface FrontParts extends Omit<ProbeOptions, "settings"> {
  readonly gateway: Gateway
  readonly connections: ConnectionCounter
  /** Answers a request below `/api/v1`. */
  readonly api: ((request: Request) => Promise<Response>) | undefined
  /** The metrics of this process. */
  collect(): Metric[]
}

/** Starts to accept requests. Throws `CommandError` when it cannot listen. */
export async function openFront({ settings, worker }: ServerOptions, parts: FrontParts): Promise<Front> {
  const { gateway, connections, collect, isStopping, api } = parts
  const metrics = async () => toText(worker ? await worker.collectAll(collect()) : collect())
  const probe = createProbe({ settings, ...parts, missingWorkers: worker?.missing })
  const app = createApp(gateway, { ...probe, metrics, api }, settings.server)
  let lastRequestAt = 0
  const handle: typeof app = (request, response) => {
    if (isStopping()) lastRequestAt = performance.now()
    app(request, response)
  }
  const { host, readTimeoutMs, writeTimeoutMs } = settings.server
  const port = worker?.port ?? settings.server.port
  const isWorker = worker !== undefined
  const listener = await startListening(handle, {
    host,
    port,
    readTimeoutMs,
    writeTimeoutMs,
    connections,
    isWorker,
  })
  return {
    host: listener.host,
    port: listener.port,
    drain: (timeoutMs) => drainRequests({ listener, gateway, timeoutMs, lastRequestAt: () => lastRequestAt }),
  }
}
