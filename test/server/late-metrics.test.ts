import { expect, test } from "vitest"
import { firstKey } from "../chaos/_books.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { type Answer, sendJson, startProvider } from "../support/jobs.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { HANG_MS, until, untilFound } from "../support/until.ts"

const MODEL = "gpt-4o-mini-2024-07-18"
const USAGE = { prompt_tokens: 1000, completion_tokens: 500, total_tokens: 1500 }
const COMPLETION = {
  id: "c",
  object: "chat.completion",
  model: MODEL,
  choices: [],
  usage: USAGE,
  service_tier: "default",
}
const BATCH = {
  id: "batch_1",
  object: "batch",
  status: "completed",
  output_file_id: "file-out",
  request_counts: { total: 3, completed: 3, failed: 0 },
}

const RESPONSE = { id: "resp_1", object: "response", model: MODEL, status: "queued", background: true, output: [] }
const RESPONSE_USAGE = { input_tokens: 1000, output_tokens: 500, total_tokens: 1500 }

/** A provider with a batch of three items, whose answers to a model `slow` never end. */
function createAnswer() {
  const seen = { slow: 0 }
  const answer: Answer = (request, response, body) => {
    if (request.url!.includes("/responses")) {
      sendJson(response, {
        ...RESPONSE,
        ...(request.method === "GET" && { status: "completed", usage: RESPONSE_USAGE }),
      })
    } else if (request.url!.includes("/files/")) {
      const lines = ["b0", "b1", "b2"].map((id) =>
        JSON.stringify({ id, response: { status_code: 200, body: COMPLETION } }),
      )
      response.writeHead(200, { "content-type": "application/octet-stream" }).end(`${lines.join("\n")}\n`)
    } else if (request.url!.includes("/batches")) sendJson(response, BATCH)
    else if (body.includes('"slow"')) seen.slow++
    else sendJson(response, COMPLETION)
  }
  return { answer, seen }
}

type Labels = Readonly<Record<string, string>>

async function scrape(gateway: RunningGateway) {
  const text = await (await fetch(`${gateway.origin}/metrics`)).text()
  const samples = [...text.matchAll(/^(\w+)\{(.*)\} (\S+)$/gm)].map(([, name, labels, value]) => ({
    name,
    labels: Object.fromEntries(
      [...labels!.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, text]) => [label, text]),
    ) as Labels,
    value: Number(value),
  }))
  return (name: string, wanted: Labels = {}) =>
    samples
      .filter((sample) => sample.name === name)
      .filter(({ labels }) => Object.entries(wanted).every(([label, text]) => labels[label] === text))
      .reduce((sum, { value }) => sum + value, 0)
}

type Totals = Readonly<Record<string, number | string>>

async function readTotals(home: Installation): Promise<Totals> {
  const { total } = (await home.runJson(["usage", "--since", "today", "--tz", "UTC"])) as { total: Totals }
  return total
}

async function start(provider: string): Promise<Installation> {
  const { url } = await createTestDatabase()
  return createInstallation(
    {
      DATABASE_URL: url,
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: provider,
      MAJORDOMO_PRICING_REMOTE_URL: "",
      MAJORDOMO_TELEMETRY_LABELS: "Team",
    },
    { inProcess: true },
  )
}

test(
  "the counters of all processes together are what usage says: with items of batches, and with requests whose gateway was killed; the gauges are it after a repricing too",
  async () => {
    const { answer, seen } = createAnswer()
    const home = await start(await startProvider(answer))
    try {
      const first = await home.serve()
      const key = firstKey(first)
      const send = (gateway: RunningGateway, method: string, path: string, body?: unknown, team = "search") =>
        fetch(gateway.origin + path, {
          method,
          headers: {
            "Content-Type": "application/json",
            Authorization: "Bearer sk-test-0123456789",
            "X-Majordomo-Key": key,
            "X-Majordomo-Team": team,
          },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        }).then((response) => response.text())
      await send(first, "POST", "/v1/chat/completions", { model: "gpt-4o-mini", messages: [] })
      await send(first, "POST", "/v1/batches", { input_file_id: "f", endpoint: "/v1/chat/completions" })
      await send(first, "GET", "/v1/batches/batch_1")
      // Another team downloads the results, and twice: each item counts once, for the team that created the batch.
      for (let i = 0; i < 2; i++) await send(first, "GET", "/v1/files/file-out/content", undefined, "other")
      const cost = { name: "majordomo_cost_usd_total", expected: 4 * 0.00045 }
      await until(async () => {
        const sum = await scrape(first)
        expect(sum("majordomo_requests_total")).toBe((await readTotals(home))["requests"])
        expect(sum(cost.name, { team: "search" })).toBeGreaterThan(0.0006)
      })
      const before = await scrape(first)
      expect(before(cost.name).toFixed(12)).toBe(Number((await readTotals(home))["total_cost"]).toFixed(12))
      expect(before(cost.name, { team: "other" })).toBe(0)
      expect(before("majordomo_tokens_total", { kind: "input", team: "search" })).toBe(4000)

      await send(first, "POST", "/v1/responses", { model: "gpt-4o-mini", input: "hi", background: true })
      expect((await scrape(first))("majordomo_unpriced_requests_total")).toBe(0)
      await send(first, "GET", "/v1/responses/resp_1")
      await until(async () => expect((await scrape(first))(cost.name)).toBeCloseTo(before(cost.name) + 0.00045, 12))
      expect((await scrape(first))("majordomo_unpriced_requests_total")).toBe(0)
      const afterwards = await scrape(first)

      const hanging = send(first, "POST", "/v1/chat/completions", { model: "slow", messages: [] }).catch(() => {})
      await untilFound(() => seen.slow === 1)
      await first.stop("SIGKILL")
      await hanging

      const second = await home.serve()
      const died = { outcome: "gateway_died", team: "search" }
      await until(async () => expect((await scrape(second))("majordomo_requests_total", died)).toBe(1))
      await until(async () => {
        const both = afterwards("majordomo_requests_total") + (await scrape(second))("majordomo_requests_total")
        expect(both).toBe((await readTotals(home))["requests"])
      })

      await home.runJson([
        "pricing",
        "set",
        MODEL,
        "--provider",
        "openai",
        "--input",
        "1",
        "--output",
        "2",
        "--from",
        "2026-01-01",
      ])
      await home.runJson(["pricing", "reprice", "--since", "today"])
      const total = await readTotals(home)
      expect(Number(total["total_cost"])).not.toBeCloseTo(afterwards(cost.name), 6)
      await until(async () => {
        const sum = await scrape(second)
        const read = (name: string, period: string) => sum(`majordomo_usage_${name}`, { period })
        for (const period of ["day", "month"]) {
          expect(read("cost_usd", period).toFixed(12)).toBe(Number(total["total_cost"]).toFixed(12))
          expect(read("requests", period)).toBe(total["requests"])
          expect(read("unpriced_requests", period)).toBe(total["unpriced"])
        }
      })
    } finally {
      await home.remove()
    }
  },
  2 * HANG_MS,
)
