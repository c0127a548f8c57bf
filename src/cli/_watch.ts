import { setTimeout as wait } from "node:timers/promises"
import { CommandError, explainSystemError } from "../core/errors.ts"
import { parseWhole } from "./_args.ts"
import { clearBeforeNext, endClearing, printMessage } from "./_print.ts"

/** The option of commands that can show their output again and again. The program reads it, and not the command. */
export const WATCH_OPTION = {
  watch: { type: "string", valueHint: "SECONDS", description: "show it again every so many seconds, until Ctrl-C" },
} as const

const MAX_SECONDS = 86_400

/**
 * Parses the value of `--watch`; undefined stays undefined.
 *
 * @throws CommandError (exit code 2) if it is no whole number of seconds
 */
export function parseWatch(text: string | undefined): number | undefined {
  return parseWhole("watch", text, { min: 1, max: MAX_SECONDS })
}

/**
 * Shows something every `seconds`, until SIGINT or SIGTERM. On a terminal, each time replaces the one before,
 * and what was on the terminal before is there again at the end. An error is
 * shown like everything else, and the next time may succeed: a gateway that restarts is no reason to stop watching it.
 */
export async function watch(seconds: number, show: () => Promise<unknown>): Promise<void> {
  const stop = new AbortController()
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort())
  try {
    while (!stop.signal.aborted) await showOnce(show).then(() => pause(seconds, stop.signal))
  } finally {
    endClearing()
  }
}

async function showOnce(show: () => Promise<unknown>): Promise<void> {
  process.exitCode = 0
  clearBeforeNext()
  await show().catch((error) => {
    const explained = explainSystemError(error)
    // Wrong usage stays wrong.
    if (!(explained instanceof CommandError) || explained.exitCode === 2) throw explained
    printMessage(`error: ${explained.message}`)
    process.exitCode = explained.exitCode
  })
}

async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  await wait(seconds * 1000, undefined, { signal }).catch(() => {})
}
