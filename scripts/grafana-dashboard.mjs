// Writes docs/grafana/majordomo.json, the dashboard for Grafana: node scripts/grafana-dashboard.mjs
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { runnerImport } from "vite"

const root = fileURLToPath(new URL("..", import.meta.url))
const options = { root, configFile: false, logLevel: "error" }
const { module } = await runnerImport("./test/support/grafana-dashboard.ts", options)
writeFileSync(`${root}docs/grafana/majordomo.json`, module.toDashboardText())
