import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { makeDirectory, openTestJournal, takeAll } from "./_journal.ts"

const CHILD = fileURLToPath(new URL("journal-kill.child.ts", import.meta.url))

/** Starts a process that appends for ever, kills it at some moment; returns the ids that it had told as kept. */
async function appendAndKill(dir: string, afterIds: number): Promise<string[]> {
  const child = spawn(process.execPath, ["--import", "jiti/register", CHILD, dir], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  let told = ""
  let count = 0
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    told += chunk
    count += chunk.split("\n").length - 1
    if (count >= afterIds) child.kill("SIGKILL")
  })
  await new Promise((resolve) => child.once("close", resolve))
  return told.slice(0, told.lastIndexOf("\n")).split("\n")
}

it("[LOG-05] kill -9 at any moment: no line that was told as kept is lost, none is there twice", async () => {
  const trials = [100, 3000, 20_000]
  const counts = await Promise.all(
    trials.map(async (afterIds) => {
      const dir = await makeDirectory()
      const told = await appendAndKill(dir, afterIds)
      const journal = await openTestJournal(dir)
      const { ids, broken } = await takeAll(journal, 512 << 10)
      const kept = new Set(ids)
      const lost = told.filter((id) => !kept.has(id))
      const begun = journal.unended.length // at most the one whose row was being written
      return {
        lost: lost.length,
        doubled: ids.length - kept.size,
        broken: broken.length,
        begun: begun <= 1,
        told: told.length >= afterIds,
      }
    }),
  )
  const clean = { lost: 0, doubled: 0, broken: 0, begun: true, told: true }
  expect(counts).toEqual(trials.map(() => clean))
})
