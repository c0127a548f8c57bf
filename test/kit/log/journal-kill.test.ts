import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { makeDirectory, openTestJournal, takeAll } from "./_journal.ts"

const CHILD = fileURLToPath(new URL("journal-kill.child.ts", import.meta.url))

/** Starts a process that appends without end, and kills it at some moment. Returns the ids that it reported as kept. */
async function appendAndKill(dir: string, afterIds: number): Promise<string[]> {
  const child = spawn(process.execPath, ["--import", "jiti/register", CHILD, dir], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  let output = ""
  let count = 0
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk
    count += chunk.split("\n").length - 1
    if (count >= afterIds) child.kill("SIGKILL")
  })
  await new Promise((resolve) => child.once("close", resolve))
  return output.slice(0, output.lastIndexOf("\n")).split("\n")
}

it("[LOG-05] kill -9 at any moment loses no row that was reported as kept, and duplicates none", async () => {
  const trials = [100, 3000, 20_000]
  const counts = await Promise.all(
    trials.map(async (afterIds) => {
      const dir = await makeDirectory()
      const reported = await appendAndKill(dir, afterIds)
      const journal = await openTestJournal(dir)
      const { ids, damaged } = await takeAll(journal, 512 << 10)
      const kept = new Set(ids)
      const lost = reported.filter((id) => !kept.has(id))
      const orphaned = journal.orphanedIntents.length // at most the one whose row was being written
      return {
        lost: lost.length,
        doubled: ids.length - kept.size,
        damaged: damaged.length,
        orphaned: orphaned <= 1,
        reported: reported.length >= afterIds,
      }
    }),
  )
  const clean = { lost: 0, doubled: 0, damaged: 0, orphaned: true, reported: true }
  expect(counts).toEqual(trials.map(() => clean))
})
