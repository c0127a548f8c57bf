// Writes schema.sql from migrations/. Run from anywhere: npm run schema
// With a name it first writes the next migration, with the counting functions in it: npm run schema -- another_counter
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { runnerImport } from "vite"

const root = fileURLToPath(new URL("..", import.meta.url))
process.chdir(root)
const { module } = await runnerImport("./build/schema/index.ts", { root, configFile: false, logLevel: "error" })
const [name] = process.argv.slice(2)
if (name !== undefined) {
  const { file, text } = module.makeMigration(name)
  writeFileSync(file, text, { flag: "wx" })
  console.log(`wrote ${file}: complete it, then run npm run schema`)
}
writeFileSync("schema.sql", module.makeSchema())
