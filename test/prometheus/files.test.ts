import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { parse } from "yaml"
import { toText } from "../../src/server/metrics/text.ts"
import { toDashboard, toDashboardText } from "../support/grafana-dashboard.ts"
import { listLabels, listMetrics, toMetricsTable } from "../support/metrics-table.ts"
import { hasPrometheus, NEEDS_PROMETHEUS, promtool } from "../support/prometheus.ts"

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")
const metrics = listMetrics()
const names = new Set(
  metrics.flatMap(({ name, type }) =>
    type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  ),
)

interface Rule {
  readonly alert?: string
  readonly record?: string
  readonly expr: string
}
const groups = (text: string) => (parse(text) as { groups: { name: string; rules: Rule[] }[] }).groups
const rules = groups(read("docs/grafana/alerts.yml")).flatMap((group) => group.rules)

describe("docs/metrics.md", () => {
  it("has a table of all metrics, which scripts/metrics-table.mjs writes", () => {
    const [, between] = read("docs/metrics.md").split(/<!-- \/?metrics -->/)
    expect(between?.trim()).toBe(toMetricsTable(metrics))
  })

  it("names no other metrics", () => {
    const named = read("docs/metrics.md").match(/\b(?:majordomo|process)_\w+/g) ?? []
    expect(named.filter((name) => !names.has(name) && !metrics.some((metric) => metric.name === name))).toEqual([])
  })
})

describe("the metrics", () => {
  it("follow Prometheus' conventions: counters end in _total, and only they do; labels are lower case", () => {
    for (const metric of metrics) {
      expect(metric.name).toMatch(/^(majordomo|process)_[a-z0-9_]+$/)
      expect(metric.name.endsWith("_total"), metric.name).toBe(metric.type === "counter")
      expect(metric.help, metric.name).toMatch(/^[A-Z1].*\.$/)
      for (const label of listLabels(metric)) expect(label).toMatch(/^([a-z_]+|…)$/)
    }
    expect(new Set(metrics.map(({ name }) => name)).size).toBe(metrics.length)
  })

  it.skipIf(!hasPrometheus)(`pass promtool check metrics${NEEDS_PROMETHEUS}`, () => {
    expect(promtool(["check", "metrics"], toText(metrics))).toBe("")
  })
})

describe("docs/grafana/", () => {
  it("has the dashboard that scripts/grafana-dashboard.mjs writes", () => {
    expect(read("docs/grafana/majordomo.json")).toBe(toDashboardText())
  })

  it("its dashboard and rules use metrics that exist", () => {
    const recorded = rules.flatMap(({ record }) => record ?? [])
    const used = `${read("docs/grafana/majordomo.json")} ${rules.map(({ expr }) => expr).join(" ")}`
    const found = used.match(/\b(?:majordomo|process)[_:][a-z0-9_:]+/g) ?? []
    expect(found.length).toBeGreaterThan(50)
    expect(found.filter((name) => !names.has(name) && !recorded.includes(name))).toEqual([])
  })

  it("its panels do not overlap, have ids of their own, and say what they show", () => {
    const { panels } = toDashboard()
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    for (const panel of panels) {
      expect(panel.gridPos.x + panel.gridPos.w).toBeLessThanOrEqual(24)
      if ("description" in panel) expect(panel.description).toMatch(/\.$/)
    }
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
  })

  it("each alert has a severity, a summary, a description and a test", () => {
    const tests = read("docs/grafana/alerts-tests.yml") + read("docs/grafana/alerts-week-tests.yml")
    for (const rule of rules.filter(({ alert }) => alert !== undefined)) {
      expect(rule).toMatchObject({
        labels: { severity: expect.stringMatching(/^(warning|critical)$/) },
        annotations: { summary: expect.any(String), description: expect.any(String) },
      })
      expect(tests).toMatch(new RegExp(`alertname: ${rule.alert}\\n +exp_alerts:\\n +- `))
    }
  })

  it.skipIf(!hasPrometheus)(`its rules pass promtool check rules and promtool test rules${NEEDS_PROMETHEUS}`, () => {
    expect(promtool(["check", "rules", "alerts.yml"])).toContain(`SUCCESS: ${rules.length} rules found`)
    for (const name of ["alerts-tests.yml", "alerts-week-tests.yml"])
      expect(promtool(["test", "rules", name])).toContain("SUCCESS")
  })

  it("k8s/monitoring has the same rules for the Prometheus Operator", () => {
    const { spec } = parse(read("k8s/monitoring/rules.yaml")) as { spec: { groups: unknown } }
    expect(spec.groups).toEqual(groups(read("docs/grafana/alerts.yml")))
  })
})
