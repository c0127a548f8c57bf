import { resolve } from "node:path"
import { holdsInputs, readInputs } from "../failing/inputs.ts"
import { reportFailing } from "../failing/report.ts"
import { readRecordings } from "./recordings.ts"
import { report } from "./report.ts"

// The module that loads this one cannot load further modules afterwards, so everything runs during the import.
const directory = resolve(process.argv[2] ?? "")
if (holdsInputs(directory)) {
  print(await reportFailing(readInputs(directory)))
} else {
  const recordings = readRecordings(directory)
  if (recordings && recordings.length > 0) print(await report(recordings))
  else {
    console.error(`${process.argv[2]}: expected a directory with *.json files of recorded answers, found none`)
    process.exitCode = 1
  }
}

function print({ text, passed }: { readonly text: string; readonly passed: boolean }): void {
  console.log(text)
  process.exitCode = passed ? 0 : 1
}
