// Writes the table of settings into README.md between its two markers. Runs in any directory: node scripts/settings-table.mjs
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { runnerImport } from "vite"

const root = fileURLToPath(new URL("..", import.meta.url))
const { module } = await runnerImport("./src/config/table.ts", { root, configFile: false, logLevel: "error" })
const table = module.toSettingsTable()
const readme = `${root}README.md`
const text = readFileSync(readme, "utf8")
const markers = /(<!-- settings -->)[\s\S]*?(<!-- \/settings -->)/
if (!markers.test(text)) throw new Error("README.md has no <!-- settings --> … <!-- /settings -->")
writeFileSync(
  readme,
  text.replace(markers, (_, open, close) => `${open}\n${table}\n${close}`),
)
