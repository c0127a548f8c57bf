import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test, vi } from "vitest"
import { createExporter } from "../../src/telemetry/export/exporter.ts"
import { aRecord } from "../database/_ledger.ts"
import { startOtlpReceiver } from "../support/otlp-receiver.ts"

/** A build of the OpenTelemetry Collector with the receiver `otlp` and the exporter `otlp_http`. */
const COLLECTOR = process.env["OTEL_COLLECTOR"]
const WAIT = { timeout: 60_000, interval: 50 }

function findPort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number }
      server.close(() => resolve(port))
    })
  })
}

test.skipIf(COLLECTOR === undefined).each(["http/protobuf", "http/json"] as const)(
  "the OpenTelemetry Collector reads spans and metrics in %s (OTEL_COLLECTOR names its program)",
  async (protocol) => {
    const receiver = await startOtlpReceiver()
    const port = await findPort()
    const dir = mkdtempSync(join(tmpdir(), "mdm-collector-"))
    const config = {
      receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
      exporters: { otlp_http: { endpoint: receiver.origin, encoding: "json" } },
      service: {
        telemetry: { metrics: { level: "none" } },
        pipelines: {
          traces: { receivers: ["otlp"], exporters: ["otlp_http"] },
          metrics: { receivers: ["otlp"], exporters: ["otlp_http"] },
        },
      },
    }
    writeFileSync(join(dir, "config.yaml"), JSON.stringify(config))
    const collector = spawn(COLLECTOR!, ["--config", join(dir, "config.yaml")], { stdio: "ignore" })
    onTestFinished(async () => {
      collector.kill()
      await receiver.close()
      rmSync(dir, { recursive: true })
    })
    const exporter = createExporter({
      ...{ endpoint: `http://127.0.0.1:${port}`, protocol, traces: true, metrics: true, metricIntervalMs: 3_600_000 },
      ...{ headers: {}, resource: { "service.name": "gateway" }, metadata: [], version: "1" },
      ...{ now: Date.now, log: () => {}, fetch },
      timing: { batchDelayMs: 1, firstPauseMs: 50, maxPauseMs: 50 },
    })
    const records = Array.from({ length: 20 }, () => aRecord({ total_cost: "0.25" }))
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    const context = {
      traceparent: `00-${trace}-00f067aa0ba902b7-01`,
      keyName: undefined,
      baseUrl: "https://api.openai.com",
    }
    for (const record of records) exporter.add(record, context)
    await exporter.close(60_000)
    await vi.waitFor(() => expect(receiver.spans()).toHaveLength(20), WAIT)
    for (const span of receiver.spans()) {
      const record = records.find(({ id }) => id === span.attributes["majordomo.request.id"])!
      expect(span).toMatchObject({
        traceId: trace,
        parentSpanId: "00f067aa0ba902b7",
        spanId: record.id.replaceAll("-", "").slice(16),
        start: Date.parse(record.requested_at),
        end: Date.parse(record.responded_at),
      })
      expect(span.attributes).toMatchObject({ "gen_ai.usage.input_tokens": 1000, "majordomo.cost.usd": 0.25 })
    }
    await vi.waitFor(() => expect(receiver.metrics()["majordomo.cost"]?.points[0]?.value).toBe(5), WAIT)
    expect(receiver.metrics()["gen_ai.client.token.usage"]?.points[0]).toMatchObject({ count: 20, sum: 20_000 })
  },
)
