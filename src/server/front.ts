import type { IncomingMessage, ServerResponse } from "node:http"
import type { Gateway } from "../gateway/gateway.ts"
import { createApp, type MetricsRequest } from "./app.ts"
import type { ConnectionCounter } from "./connections.ts"
import { drainRequests } from "./drain.ts"
import { startListening } from "./listen.ts"
import { toText } from "./metrics/text.ts"
import { createZeroStart } from "./metrics/zero-start.ts"
import type { ServerOptions } from "./options.ts"
import { createProbe, type ProbeOptions } from "./probe.ts"
import type { Metric } from "./prometheus.ts"
import type { Receiver } from "./receiver/receiver.ts"
import { reject } from "./reject.ts"

/** The HTTP side of the server: the listener, the gateway's own routes and the proxied requests. */
export interface Front {
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
  /** Whether a request comes with a valid admin token or session. */
  readonly isAdmitted: ((request: Request) => Promise<boolean>) | undefined
  /** Takes what clients report by OTLP; undefined: nothing is received. */
  readonly receiver: Receiver | undefined
  /** The metrics of this process. */
  collect(): Metric[]
}

/** Starts to accept requests. Throws `CommandError` when it cannot listen. */
export async function openFront({ settings, worker }: ServerOptions, parts: FrontParts): Promise<Front> {
  const { gateway, connections, collect, isStopping, api, isAdmitted, receiver } = parts
  const zeroStart = createZeroStart()
  const collectAll = async (isScrape: boolean) => {
    if (worker) return worker.collectAll(collect(), isScrape)
    return isScrape ? zeroStart(collect()) : collect()
  }
  const metrics = async ({ format, isScrape }: MetricsRequest) => toText(await collectAll(isScrape), format)
  const probe = createProbe({ settings, ...parts, missingWorkers: worker?.missing })
  const own = { ...probe, metrics, ...(isAdmitted && { isAdmitted }) }
  const { host, readTimeoutMs, writeTimeoutMs } = settings.server
  const { port: adminPort, host: adminHost = host } = settings.admin
  const policy = { ...settings.server, adminHosts: settings.admin.hosts, metricsPublic: settings.metrics.public }
  const app = createApp(gateway, { ...own, api: adminPort === undefined ? api : undefined, receiver }, policy)
  let lastRequestAt = 0
  const handle: typeof app = (request, response) => {
    if (isStopping()) lastRequestAt = performance.now()
    app(request, response)
  }
  const common = { readTimeoutMs, writeTimeoutMs, connections, isWorker: worker !== undefined }
  const listener = await startListening(handle, { host, port: worker?.port ?? settings.server.port, ...common })
  const admin =
    adminPort === undefined || api === undefined
      ? undefined
      : await startListening(createApp(NO_PROXY, { ...own, api }, { ...policy, host: adminHost }), {
          host: adminHost,
          port: adminPort,
          section: "admin",
          ...common,
        }).catch(async (error) => {
          listener.closeConnections()
          await listener.close()
          throw error
        })
  return {
    host: listener.host,
    port: listener.port,
    async drain(timeoutMs) {
      const closed = admin?.close()
      await drainRequests({ listener, gateway, timeoutMs, lastRequestAt: () => lastRequestAt })
      admin?.closeConnections()
      await closed
    },
  }
}

/** What the admin listener answers to everything that is neither the admin API nor the dashboard. */
const NO_PROXY = {
  handle(_request: IncomingMessage, response: ServerResponse): void {
    const message = "This is the admin listener of the gateway. Requests for providers go to the gateway's own port."
    reject(response, 404, "unknown_path", message)
  },
}
