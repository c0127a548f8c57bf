import { resolve } from "node:path"
import { readRecordings } from "./recordings.ts"
import { report } from "./report.ts"

// The module that loads this one cannot load further modules afterwards, so everything runs during the import.
const directory = process.argv[2] ?? ""
const recordings = readRecordings(resolve(directory))
if (!recordings || recordings.length === 0) {
  console.error(`${directory}: expected a directory with *.json files of recorded answers, found none`)
  process.exitCode = 1
} else {
  const { text, passed } = await report(recordings)
  console.log(text)
  process.exitCode = passed ? 0 : 1
}
