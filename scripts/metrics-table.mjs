// Writes the table of docs/metrics.md between its two markers: node scripts/metrics-table.mjs
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { runnerImport } from "vite"

const root = fileURLToPath(new URL("..", import.meta.url))
const options = { root, configFile: false, logLevel: "error" }
const { module } = await runnerImport("./test/support/metrics-table.ts", options)
const page = `${root}docs/metrics.md`
const text = readFileSync(page, "utf8")
const markers = /(<!-- metrics -->)[\s\S]*?(<!-- \/metrics -->)/
if (!markers.test(text)) throw new Error("docs/metrics.md has no <!-- metrics --> … <!-- /metrics -->")
const table = module.toMetricsTable(module.listMetrics())
writeFileSync(
  page,
  text.replace(markers, (_, open, close) => `${open}\n${table}\n${close}`),
)
