import { readdirSync } from "node:fs"
import { join } from "node:path"
import { readCounters } from "../../kit/log/counter-file.ts"
import { isSlotName } from "../../kit/log/slots.ts"
import { parseTotals, type Totals } from "./totals.ts"

/**
 * Reads the totals of the journals below `root`, as their processes stored them last.
 * @param except directories that are not read, because their processes report their present totals themselves
 */
export function readStoredTotals(root: string, except: ReadonlySet<string>): Totals {
  return addTotals(
    listSlots(root)
      .filter((dir) => !except.has(dir))
      .map((dir) => parseTotals(tryRead(dir))),
  )
}

export function addTotals(all: readonly Totals[]): Totals {
  const sum = (name: keyof Totals) => all.reduce((total, totals) => total + totals[name], 0)
  return { accepted: sum("accepted"), written: sum("written"), rejected: sum("rejected"), dropped: sum("dropped") }
}

function listSlots(root: string): string[] {
  try {
    return readdirSync(root)
      .filter(isSlotName)
      .map((name) => join(root, name))
  } catch {
    return [] // no process has created it yet
  }
}

/** A file that cannot be read is reported by the process that recovers its journal. */
function tryRead(dir: string): unknown {
  try {
    return readCounters(dir)
  } catch {
    return undefined
  }
}
