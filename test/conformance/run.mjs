// npm run conformance -- DIR: sends every recorded answer in DIR/*.json through the gateway, compares the bytes that come
// out with those that went in, and each column of the row with what is billed.
// Works on the sources, on any node that the project supports: vite takes the types out.

import { existsSync } from "node:fs"
import { resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { runnerImport } from "vite"

const directory = process.argv[2]
if (!directory || !existsSync(directory)) {
  const why = directory ? `there is no ${directory}` : "no directory was named"
  console.log(`conformance: skipped, ${why} (npm run conformance -- DIRECTORY of *.json files of recorded answers)`)
  process.exit(0)
}
const root = fileURLToPath(new URL("../../", import.meta.url))
await runnerImport(resolve(root, "test/conformance/main.ts"), { root, configFile: false, logLevel: "error" })
