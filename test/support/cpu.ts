import { existsSync, readFileSync } from "node:fs"

const OWN = "/proc/thread-self/schedstat"
const canReadOwn = existsSync(OWN)

/**
 * Returns the CPU time of this thread in ms. A busy machine does not change it, and neither do V8's threads that collect garbage
 * and compile. Systems other than Linux only know the time of the whole process.
 */
export function readCpuMs(): number {
  if (canReadOwn) return Number(readFileSync(OWN, "utf8").split(" ", 1)[0]) / 1e6
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
