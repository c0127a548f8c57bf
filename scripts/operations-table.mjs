// Writes docs/operations.md: every method of the official SDKs and whether it is billed. node scripts/operations-table.mjs
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { runnerImport } from "vite"

const root = fileURLToPath(new URL("..", import.meta.url))
const options = { root, configFile: false, logLevel: "error" }
const { module } = await runnerImport("./test/support/sdk/operations-table.ts", options)
writeFileSync(`${root}docs/operations.md`, module.toOperationsPage(await module.listOperations()))
