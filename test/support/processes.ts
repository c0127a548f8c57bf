import { readdirSync, readFileSync } from "node:fs"

/** Returns the ids of the processes that a process has started, oldest first. Linux only. */
export function listChildren(parent: number): number[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      const stat = readFileSync(`/proc/${Number(name)}/stat`, "utf8")
      const [, parentOfIt] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
      return Number(parentOfIt) === parent ? [Number(name)] : []
    } catch {
      return []
    }
  })
}
