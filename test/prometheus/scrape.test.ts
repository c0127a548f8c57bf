import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { firstKey } from "../chaos/_books.ts"
import { type FakeProvider, type Script, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { toDashboard } from "../support/grafana-dashboard.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { hasPrometheus, NEEDS_PROMETHEUS, type Prometheus, promtool, startPrometheus } from "../support/prometheus.ts"
import { HANG_MS } from "../support/until.ts"

const TOKEN = "scrape-me"
const POLL = { timeout: HANG_MS, interval: 100 }

interface Report {
  readonly rows: readonly Readonly<Record<string, string | number | null>>[]
  readonly total: Readonly<Record<string, string | number | null>>
}

/** The values that the queries of the dashboard need. */
const VARIABLES: Readonly<Record<string, string>> = {
  $__rate_interval: "30s",
  $__range: "10m",
  $provider: ".*",
  $model: ".*",
  $key: ".*",
  $group: "team",
}
const substitute = (text: string) =>
  Object.entries(VARIABLES).reduce((result, [name, value]) => result.replaceAll(name, value), text)

describe.skipIf(!hasPrometheus)(`Prometheus that scrapes a gateway with two workers${NEEDS_PROMETHEUS}`, () => {
  let provider: FakeProvider
  let home: Installation
  let gateway: RunningGateway
  let prometheus: Prometheus
  let key: string

  async function ask(team: string | undefined, model: string, script: Script = {}): Promise<number> {
    const isClaude = model.startsWith("claude")
    const response = await fetch(`${gateway.origin}${isClaude ? "/v1/messages" : "/v1/chat/completions"}`, {
      method: "POST",
      headers: {
        ...(isClaude ? { "x-api-key": "sk-ant-test-0123456789" } : { Authorization: "Bearer sk-test-0123456789" }),
        "anthropic-version": "2023-06-01",
        "Content-Type": "application/json",
        "X-Majordomo-Key": key,
        "X-Fake-Provider": JSON.stringify(script),
        ...(team !== undefined && { "X-Majordomo-Team": team }),
      },
      body: JSON.stringify({ model, max_tokens: 50, messages: [{ role: "user", content: `hi ${team}` }] }),
    })
    await response.arrayBuffer()
    return response.status
  }

  const usage = async (...args: string[]) => (await home.runJson(["usage", ...args])) as Report
  const value = async (expression: string) => Number((await prometheus.query(expression))[0]?.value[1] ?? 0)

  beforeAll(async () => {
    provider = await startFakeProvider()
    home = createInstallation({
      DATABASE_URL: (await createTestDatabase()).url,
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: provider.origin,
      MAJORDOMO_PROVIDERS_ANTHROPIC_BASE_URL: provider.origin,
      MAJORDOMO_PRICING_REMOTE_URL: "",
      MAJORDOMO_SERVER_WORKERS: "2",
      MAJORDOMO_SERVER_METRICS_TOKEN: TOKEN,
      MAJORDOMO_TELEMETRY_LABELS: "Team",
    })
    const limit = ["--measure", "requests", "--amount", "3", "--window", "total", "--where", "Team=limited"]
    await home.runJson(["limits", "create", "three", ...limit])
    gateway = await home.serve()
    key = firstKey(gateway)
    prometheus = await startPrometheus({ port: gateway.port, token: TOKEN })
    await vi.waitFor(async () => expect(await value("sum(majordomo_build_info)")).toBe(1), POLL)
    // Two requests of each series, so that its value changes after Prometheus has got it as 0.
    for (let round = 0; round < 2; round++) {
      for (const team of ["search", 'quo"te\\', undefined]) {
        expect(await ask(team, "gpt-4o-mini")).toBe(200)
        expect(await ask(team, "claude-sonnet-4-5")).toBe(200)
      }
      expect(await ask("search", "model-without-a-price")).toBe(200)
      expect(await ask("search", "gpt-4o-mini", { status: 500, body: "{}" })).toBe(500)
      for (let i = 0; i < 3; i++) await ask("limited", "gpt-4o-mini")
    }
    await vi.waitFor(async () => expect((await usage()).total["requests"]).toBe(22), POLL)
    await vi.waitFor(async () => expect(await value("sum(majordomo_requests_total)")).toBe(22), POLL)
  }, HANG_MS)

  afterAll(async () => {
    await prometheus?.close()
    await gateway?.stop()
    await home?.remove()
    await provider?.close()
  })

  it("needs the token, and gets OpenMetrics with units that promtool accepts as text too", async () => {
    expect((await fetch(`${gateway.origin}/metrics`)).status).toBe(401)
    const text = await fetch(`${gateway.origin}/metrics`, { headers: { Authorization: `Bearer ${TOKEN}` } })
    expect(text.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(promtool(["check", "metrics"], await text.text())).toBe("")
    const { activeTargets } = await prometheus.get<{ activeTargets: object[] }>("targets")
    expect(activeTargets).toMatchObject([{ health: "up", lastError: "" }])
    const metadata = await prometheus.get<object>("metadata", { metric: "majordomo_cost_usd" })
    expect(metadata).toMatchObject({ majordomo_cost_usd: [{ type: "counter", unit: "usd" }] })
  })

  it("has the sums of usage: cost, tokens, unpriced and estimated requests, in total and by group", async () => {
    const { total } = await usage()
    expect(total["total_cost"]).not.toBe("0")
    await expect.poll(() => value("sum(majordomo_cost_usd_total)"), POLL).toBeCloseTo(Number(total["total_cost"]), 12)
    const tokens = (kinds: string) => value(`sum(majordomo_tokens_total{kind=~"${kinds}"})`)
    await expect.poll(() => tokens("input|cache_.*"), POLL).toBe(total["input_tokens"])
    expect(await tokens("output|reasoning")).toBe(total["output_tokens"])
    expect(await value("sum(majordomo_unpriced_requests_total)")).toBe(total["unpriced"])
    expect(await value("sum(majordomo_estimated_requests_total)")).toBe(total["estimated"])
    expect(await value("sum(majordomo_limit_rejections_total)")).toBe(3)
    expect(await value('sum(majordomo_requests_total{outcome="rejected"})')).toBe(3)
    for (const [by, label] of [
      ["model", "model"],
      ["provider", "provider"],
      ["Team", "team"],
    ] as const) {
      const { rows } = await usage("--by", by)
      const expected = rows.map((row) => [row[by] ?? "(none)", row["requests"], Number(row["total_cost"]).toFixed(12)])
      const requests = await prometheus.query(`sum by (${label}) (majordomo_requests_total)`)
      const costs = await prometheus.query(`sum by (${label}) (majordomo_cost_usd_total)`)
      const found = requests.map(({ metric, value }) => {
        const cost = costs.find((each) => each.metric[label] === metric[label])?.value[1]
        return [metric[label], Number(value[1]), Number(cost ?? 0).toFixed(12)]
      })
      expect(found.sort(), by).toEqual(expected.sort())
    }
  })

  it("gets each series as 0 first, so that its increase is what was spent", async () => {
    const series = await prometheus.samples("majordomo_cost_usd_total[10m]")
    expect(series.length).toBeGreaterThan(5)
    for (const { metric, values } of series) expect(values[0]?.[1], JSON.stringify(metric)).toBe("0")
    // Prometheus extrapolates an increase to the ends of its range, by half a scrape at most.
    const cost = Number((await usage()).total["total_cost"])
    expect(await value("sum(increase(majordomo_cost_usd_total[10m]))")).toBeGreaterThan(cost * 0.99)
  })

  it("answers every query of the dashboard, whose variables have values", async () => {
    const empty: string[] = []
    for (const panel of toDashboard().panels) {
      for (const { expr } of ("targets" in panel ? panel.targets : []) ?? []) {
        const result = await prometheus.query(substitute(expr))
        if (result.length === 0) empty.push(panel.title)
      }
    }
    expect(empty).toEqual(["Age of prices"]) // this gateway fetches no list
    for (const name of ["provider", "model", "key", "team"]) {
      const values = await prometheus.get<string[]>(`label/${name}/values`, { "match[]": "majordomo_requests_total" })
      expect(values.length, name).toBeGreaterThan(0)
    }
  })

  it("evaluates every rule without an error, and alarms about the model without a price", async () => {
    const read = async () => {
      const { groups } = await prometheus.get<{
        groups: { rules: { name: string; health: string; state?: string }[] }[]
      }>("rules")
      return groups.flatMap(({ rules }) => rules)
    }
    await expect.poll(async () => (await read()).every(({ health }) => health === "ok"), POLL).toBe(true)
    const stateOf = async (alert: string) => (await read()).find(({ name }) => name === alert)?.state
    await expect.poll(() => stateOf("MajordomoUnpricedSpend"), POLL).toBe("pending")
    await expect.poll(() => stateOf("MajordomoLimitNear"), POLL).toMatch(/pending|firing/)
    expect(await stateOf("MajordomoNoGateway")).toBe("inactive")
    expect(await stateOf("MajordomoRowsDropped")).toBe("inactive")
  })
})
