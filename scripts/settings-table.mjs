// Writes the table of settings into docs/settings.md between its two markers: node scripts/settings-table.mjs
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { runnerImport } from "vite"

const root = fileURLToPath(new URL("..", import.meta.url))
const options = { root, configFile: false, logLevel: "error" }
const { module: config } = await runnerImport("./src/config/table.ts", options)
const { module: providers } = await runnerImport("./src/providers/catalog.ts", options)
const table = config.toSettingsTable(providers.PROVIDER_CATALOG)
const page = `${root}docs/settings.md`
const text = readFileSync(page, "utf8")
const markers = /(<!-- settings -->)[\s\S]*?(<!-- \/settings -->)/
if (!markers.test(text)) throw new Error("docs/settings.md has no <!-- settings --> … <!-- /settings -->")
writeFileSync(
  page,
  text.replace(markers, (_, open, close) => `${open}\n${table}\n${close}`),
)
