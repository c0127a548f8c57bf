import { randomUUID } from "node:crypto"
import { hostname } from "node:os"
import { version } from "../../package.json"
import type { Settings } from "../config/settings.ts"
import type { LogRecord } from "../core/log-record.ts"
import { toTrainCase } from "../core/train-case.ts"
import type { RecordedRequest } from "../gateway/proxied-request.ts"
import type { Scope } from "../kit/scope.ts"
import { readParameters } from "../providers/_parameters.ts"
import type { ExportStats } from "../telemetry/export/exporter.ts"
import type { ServerOptions } from "./options.ts"

/** The export of telemetry from one process. */
export interface OtlpExport {
  /** Takes a recorded request. Never throws and never waits. */
  onRequest(request: RecordedRequest): void
  /** Takes what became known of a request later. */
  onLate(record: LogRecord): void
  stats(): ExportStats
  /** Sends what waits, for `deadlineMs` at most. */
  close(deadlineMs: number): Promise<void>
}

/** Returns true if spans are exported, which say how answers describe themselves. */
export function exportsSpans({ otlp }: Settings["telemetry"]): boolean {
  return otlp.endpoint !== undefined && otlp.traces
}

/** Opens the export, whose code is loaded only then; undefined: no receiver is set. The scope closes it at once. */
export async function openOtlpExport(
  { settings, log }: Pick<ServerOptions, "settings" | "log">,
  scope: Pick<Scope, "own">,
): Promise<OtlpExport | undefined> {
  const { otlp, proxies } = settings.telemetry
  if (otlp.endpoint === undefined || !(otlp.traces || otlp.metrics)) return undefined
  const { createExporter } = await import("../telemetry/export/exporter.ts")
  const dispatcher = proxies && (await import("../kit/proxy/fetch.ts")).createProxyDispatcher(proxies)
  const exporter = createExporter({
    ...otlp,
    endpoint: otlp.endpoint,
    metadata: otlp.metadata.map(toTrainCase),
    resource: toResource(otlp),
    version,
    now: Date.now,
    log: (line) => log("warn", line),
    fetch: (url, init) => fetch(url, { ...init, ...(dispatcher && { dispatcher }) } as RequestInit),
  })
  const opened: OtlpExport = {
    onRequest: ({ record, call, caller, route, providerRequest, prepared, description }) =>
      exporter.add(record, {
        traceparent: toSingle(call.headers["traceparent"]),
        keyName: caller.keyName,
        baseUrl: route.provider.baseUrl,
        readParameters: () => readParameters(providerRequest, prepared),
        answer: description,
      }),
    onLate: exporter.addLate,
    stats: exporter.stats,
    async close(deadlineMs) {
      await exporter.close(deadlineMs)
      await dispatcher?.close()
    },
  }
  scope.own(() => opened.close(0))
  return opened
}

function toSingle(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined
}

/** Each process is an instance of its own, because each counts its own requests. */
function toResource({ resource }: Settings["telemetry"]["otlp"]): Readonly<Record<string, string>> {
  return {
    "service.name": "majordomo-gateway",
    "service.version": version,
    "service.instance.id": randomUUID(),
    "host.name": hostname(),
    ...resource,
  }
}
