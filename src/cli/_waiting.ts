import { readRuntimeEnvironment } from "../config/runtime-environment.ts"
import type { Log } from "./_log.ts"

const REDRAW_MS = 200
/** A shorter wait needs no explanation. */
const SHOWN_AFTER_MS = 1000

interface Waiting {
  /** The log, whose lines appear above the line. */
  readonly log: Log
  /** Removes the line for good. */
  end(): void
}

/** Shows on the last line of the terminal for how long the program has been starting. Elsewhere it shows nothing. */
export function showWaiting(log: Log): Waiting {
  const { noColor } = readRuntimeEnvironment()
  if (log.format !== "text" || process.stderr.isTTY !== true || noColor) return { log, end() {} }
  const startedAt = performance.now()
  let isDrawn = false
  const clear = () => {
    if (isDrawn) process.stderr.write("\r\u001b[K")
    isDrawn = false
  }
  const timer = setInterval(() => {
    const ms = performance.now() - startedAt
    if (ms < SHOWN_AFTER_MS) return
    isDrawn = true
    process.stderr.write(`\r  starting for ${Math.floor(ms / 1000)} s …\u001b[K`)
  }, REDRAW_MS)
  timer.unref()
  return {
    log: {
      ...log,
      line(level, text) {
        clear()
        log.line(level, text)
      },
    },
    end() {
      clearInterval(timer)
      clear()
    },
  }
}
