// npm run conformance -- DIR: meters every recorded answer in DIR/*.json and compares it with what it is billed.
// Works on the sources, on any node that the project supports: vite takes the types out.

import { resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { runnerImport } from "vite"

const directory = process.argv[2]
if (!directory) {
  console.error("usage: npm run conformance -- DIRECTORY   (a directory of *.json files of recorded answers)")
  process.exit(2)
}
const root = fileURLToPath(new URL("../../", import.meta.url))
const load = async (file) =>
  (await runnerImport(resolve(root, "test/conformance", file), { root, configFile: false, logLevel: "error" })).module
const { readRecordings } = await load("recordings.ts")
const { report } = await load("report.ts")

const recordings = readRecordings(resolve(directory))
if (!recordings || recordings.length === 0) {
  console.error(`${directory}: expected a directory with *.json files of recorded answers, found none`)
  process.exit(1)
}
const { text, passed } = report(recordings)
console.log(text)
process.exitCode = passed ? 0 : 1
