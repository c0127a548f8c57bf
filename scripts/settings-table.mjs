// Writes the table of settings into README.md between its two markers. Runs in any directory: node scripts/settings-table.mjs
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { runnerImport } from "vite"

const root = fileURLToPath(new URL("..", import.meta.url))
const options = { root, configFile: false, logLevel: "error" }
const { module: config } = await runnerImport("./src/config/table.ts", options)
const { module: providers } = await runnerImport("./src/providers/catalog.ts", options)
const table = config.toSettingsTable(providers.PROVIDER_CATALOG)
const readme = `${root}README.md`
const text = readFileSync(readme, "utf8")
const markers = /(<!-- settings -->)[\s\S]*?(<!-- \/settings -->)/
if (!markers.test(text)) throw new Error("README.md has no <!-- settings --> … <!-- /settings -->")
writeFileSync(
  readme,
  text.replace(markers, (_, open, close) => `${open}\n${table}\n${close}`),
)
