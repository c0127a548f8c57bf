import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

let collect: (() => void) | undefined

/** Collects all garbage and returns the memory that is still used, so that a test sees what is really referenced. */
export function collectGarbage(): NodeJS.MemoryUsage {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc")
    collect = runInNewContext("gc") as () => void
  }
  collect()
  return process.memoryUsage()
}
