// Writes the tables of src/pricing/ORIGINS.md: every rate of our own and where it is from. node scripts/origins-table.mjs
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { runnerImport } from "vite"

const root = fileURLToPath(new URL("..", import.meta.url))
const { module } = await runnerImport("./test/support/pricing/origins-page.ts", {
  root,
  configFile: false,
  logLevel: "error",
})
const page = `${root}src/pricing/ORIGINS.md`
const [before, , after] = readFileSync(page, "utf8").split(/<!-- (?:begin|end) of the generated part -->\n/)
writeFileSync(
  page,
  `${before}<!-- begin of the generated part -->\n${module.toOriginsText()}<!-- end of the generated part -->\n${after}`,
)
