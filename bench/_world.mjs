import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startLoad, startScript } from "./_processes.mjs"
import { wholeAnswer } from "./_scenarios.mjs"

/** Creates a directory for a benchmark, and remembers what it starts, so that `close` ends everything in reverse order. */
export function createScope(/** @type {string} */ name) {
  const directory = mkdtempSync(join(tmpdir(), `majordomo-${name}-`))
  /** @type {(() => unknown)[]} */
  const opened = [() => rmSync(directory, { recursive: true, force: true })]
  return {
    directory,
    /** @template {{ stop(): unknown }} T @param {T | Promise<T>} starting */
    async own(starting) {
      const started = await starting
      opened.push(() => started.stop())
      return started
    },
    async close() {
      for (const close of opened.toReversed()) await close()
    },
  }
}

/** Starts the fake provider and the load generator, each as a process. @param {ReturnType<typeof createScope>} scope */
export async function startBothEnds({ own }) {
  const provider = await own(
    startScript("./fake-provider.mjs", { args: [JSON.stringify(wholeAnswer)], typescript: true }),
  )
  return { origin: `http://127.0.0.1:${provider.port}`, load: await own(startLoad()) }
}
