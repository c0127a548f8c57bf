import { readlinkSync } from "node:fs"
import { constants, setPriority } from "node:os"

/** Gives this thread a lower priority than others, where cores are few. Only on Linux, each thread has a priority of its own. */
export function lowerPriority(): void {
  try {
    const thread = /\/task\/(\d+)$/.exec(readlinkSync("/proc/thread-self"))?.[1]
    if (thread !== undefined) setPriority(Number(thread), constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // Not Linux, or not allowed: the work is done without it.
  }
}
