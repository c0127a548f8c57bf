import { readFileSync } from "node:fs"
import { afterAll, beforeAll, expect, test } from "vitest"
import { firstKey } from "../chaos/_books.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { type OtlpReceiver, startOtlpReceiver } from "../support/otlp-receiver.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { HANG_MS, until } from "../support/until.ts"

const EVENT = readFileSync(new URL("../fixtures/otlp/claude-code-2.1.197.json", import.meta.url), "utf8")

let provider: FakeProvider
let receiver: OtlpReceiver
let home: Installation
let gateway: RunningGateway
let key: string

beforeAll(async () => {
  ;[provider, receiver] = await Promise.all([startFakeProvider(), startOtlpReceiver()])
  home = createInstallation({
    DATABASE_URL: (await createTestDatabase()).url,
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: provider.origin,
    MAJORDOMO_PRICING_REMOTE_URL: "",
    MAJORDOMO_SERVER_WORKERS: "2",
    MAJORDOMO_TELEMETRY_RECEIVER_ENABLED: "true",
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.origin,
  })
  gateway = await home.serve()
  key = firstKey(gateway)
}, HANG_MS)
afterAll(async () => {
  await home?.remove()
  await Promise.all([provider?.close(), receiver?.close()])
})

/** Sends a request on a connection of its own, so that both workers get some. */
async function post(path: string, body: string): Promise<number> {
  const response = await fetch(gateway.origin + path, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Connection: "close",
      Authorization: "Bearer sk-test-0123456789",
      "X-Majordomo-Key": key,
    },
    body,
  })
  await response.arrayBuffer()
  return response.status
}

interface Report {
  readonly total: Readonly<Record<string, number | string>>
  readonly rows: readonly Readonly<Record<string, number | string>>[]
}
const usage = async (...args: string[]) => (await home.runJson(["usage", ...args])) as Report

test(
  "with two workers, each request is one span and each event one row, whichever worker gets it, and however often",
  async () => {
    const body = JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }] })
    const statuses = await Promise.all(Array.from({ length: 20 }, () => post("/v1/chat/completions", body)))
    expect(new Set(statuses)).toEqual(new Set([200]))
    const reports = await Promise.all(Array.from({ length: 10 }, () => post("/v1/logs", EVENT)))
    expect(new Set(reports)).toEqual(new Set([200]))

    await until(async () => {
      const { rows } = await usage("--by", "source", "--since", "2020-01-01")
      const counts = Object.fromEntries(rows.map(({ source, requests }) => [source, requests]))
      expect(counts).toEqual({ gateway: 20, telemetry: 1 })
    })
    await gateway.stop()
    const ids = receiver.spans().map(({ attributes }) => attributes["majordomo.request.id"])
    expect(ids).toHaveLength(20)
    expect(new Set(ids).size).toBe(20)
    const instances = receiver.exports
      .filter(({ path }) => path === "/v1/traces")
      .map(({ message }) => JSON.stringify(message).match(/service\.instance\.id.*?([0-9a-f-]{36})/)?.[1])
    expect(new Set(instances).size).toBe(2)
  },
  2 * HANG_MS,
)
