// npm run conformance -- DIR: sends every recorded response in DIR/*.json through the gateway. Compares the bytes on both
// sides, and each column of the row with what is billed. If DIR holds the inputs of known faults, it replays those.
// Runs from the sources on every supported version of node, because vite removes the types.

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
