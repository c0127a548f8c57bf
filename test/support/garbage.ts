import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

let collect: (() => void) | undefined

/** Collects all garbage now, and tells what is left: so a test sees what is held and not what lies about. */
export function collectGarbage(): NodeJS.MemoryUsage {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc")
    collect = runInNewContext("gc") as () => void
  }
  collect()
  return process.memoryUsage()
}
