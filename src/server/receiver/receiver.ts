import type { IncomingMessage, ServerResponse } from "node:http"
import type { Caller } from "../../core/call.ts"
import { GatewayError } from "../../core/errors.ts"
import { findEnd } from "../../core/key-policy.ts"
import type { LogRecord } from "../../core/log-record.ts"
import { createIdentify } from "../../gateway/identify.ts"
import { DIALECTS } from "../../providers/catalog.ts"
import { closeIfUnread } from "../unread-body.ts"
import type { ReceiverStats } from "./metrics.ts"
import { readBody } from "./read.ts"
import { createReportRows, type ReportSource } from "./rows.ts"

/** The receiver of what coding agents report by OTLP. */
export interface Receiver {
  /** Whether a request is one for the receiver. */
  takes(request: IncomingMessage): boolean
  handle(request: IncomingMessage, response: ServerResponse): void
  stats(): ReceiverStats
}

interface ReceiverOptions extends Omit<Parameters<typeof createReportRows>[0], "now"> {
  readonly maxBodyBytes: number
  readonly readTimeoutMs: number
  now(): number
  findCaller(keyHash: string): Caller | undefined | Promise<Caller | undefined>
  /** Takes a row, and calls `onStored` when it can no longer be lost. */
  append(record: LogRecord, onStored: () => void): void
  /** Returns whether rows cannot be kept at the moment. */
  isFull(): boolean
  isStopping(): boolean
  /** Reports a bug. */
  onError(error: unknown): void
}

const PATH = /^\/v1\/(?:logs|traces|metrics)(?:\?|$)/
/** The most bodies that are in memory at the same time. Exporters repeat what is rejected with 503. */
const MAX_RUNNING = 16
const RETRY_AFTER_S = 5

/** Loads what is needed for reports with the first one. */
async function load(options: ReceiverOptions) {
  const [body, { readLogs }, toRow] = await Promise.all([
    import("../../telemetry/receive/body.ts"),
    import("../../telemetry/receive/read-logs.ts"),
    createReportRows(options),
  ])
  return { ...body, readLogs, toRow }
}

type Loaded = Awaited<ReturnType<typeof load>>

/** Creates the receiver. Logs are read; traces and metrics are accepted and ignored, because agents send them too. */
export function createReceiver(options: ReceiverOptions): Receiver {
  const stats = { accepted: 0, rejected: 0 }
  const identify = createIdentify(DIALECTS.openai.credentials, options.findCaller)
  let loading: Promise<Loaded> | undefined
  let running = 0

  async function receive(request: IncomingMessage, response: ServerResponse, loaded: Loaded): Promise<void> {
    const { toForm, toErrorBody, ReceiverError } = loaded
    let form: ReturnType<typeof toForm> = "application/json"
    try {
      form = toForm(request.headers["content-type"])
      if (running >= MAX_RUNNING || options.isStopping() || options.isFull()) {
        throw new ReceiverError(503, "the gateway cannot take telemetry at the moment, try again shortly")
      }
      running++
      try {
        send(response, 200, form, await answer(request, form, loaded))
      } finally {
        running--
      }
    } catch (error) {
      const isKnown = error instanceof ReceiverError || error instanceof GatewayError
      if (!isKnown) options.onError(error)
      const status = isKnown ? error.status : 500
      closeIfUnread(request, response)
      send(response, status, form, toErrorBody(form, status, isKnown ? error.message : "internal error"))
    }
  }

  async function answer(request: IncomingMessage, form: ReturnType<Loaded["toForm"]>, loaded: Loaded) {
    const { decompress, parseLogs, readLogs, toLogsAnswer, toRow } = loaded
    const caller = await identify({ headers: request.headers, query: "" }, request.socket)
    if (caller.policy !== undefined && findEnd(caller.policy, options.now()) !== undefined)
      throw new GatewayError("expired_gateway_key", "The gateway key has expired.")
    const bytes = await read(request, options, loaded)
    const path = request.url!.split("?", 1)[0]!
    if (path !== "/v1/logs") return toLogsAnswer(form, 0, undefined)
    const plain = await decompress(bytes, request.headers["content-encoding"], options.maxBodyBytes)
    const { reported, rejected, reason } = readLogs(parseLogs(plain, form), options.now())
    const source: ReportSource = { caller, rawHeaders: request.rawHeaders, path }
    const rows = reported.flatMap((each) => attempt(() => toRow(each, source), options))
    const failed = reported.length - rows.length
    await Promise.all(rows.map((row) => store(row, options)))
    stats.accepted += rows.length
    stats.rejected += rejected + failed
    return toLogsAnswer(form, rejected + failed, failed > 0 ? "internal error" : reason)
  }

  return {
    takes: ({ method, url = "" }) => method === "POST" && PATH.test(url),
    handle(request, response) {
      loading ??= load(options)
      loading
        .then((loaded) => receive(request, response, loaded))
        .catch((error) => {
          loading = undefined
          options.onError(error)
          response.destroy()
        })
    },
    stats: () => ({ ...stats }),
  }
}

async function read(request: IncomingMessage, options: ReceiverOptions, { ReceiverError, tooLarge }: Loaded) {
  const { maxBodyBytes: maxBytes, readTimeoutMs: timeoutMs } = options
  const bytes = await readBody(request, { maxBytes, timeoutMs })
  if (bytes === "too large") throw tooLarge(maxBytes)
  if (typeof bytes === "string") throw new ReceiverError(408, "the body did not arrive")
  return bytes
}

/** A bug that one event meets must not cost the others their rows: exporters do not send them again. */
function attempt<T>(make: () => T, { onError }: ReceiverOptions): readonly T[] {
  try {
    return [make()]
  } catch (error) {
    onError(error)
    return []
  }
}

function store(record: LogRecord, { append }: ReceiverOptions): Promise<void> {
  return new Promise((resolve) => append(record, resolve))
}

function send(response: ServerResponse, status: number, form: string, body: Uint8Array): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, {
    "Content-Type": form,
    "Content-Length": String(body.length),
    ...(status === 503 && { "Retry-After": String(RETRY_AFTER_S) }),
    ...(status === 401 && { "WWW-Authenticate": "Bearer" }),
  })
  response.end(body)
}
