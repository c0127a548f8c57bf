import { readRuntimeEnvironment } from "../config/runtime-environment.ts"
import { CommandError } from "../core/errors.ts"
import type { RemoteArgs } from "./_gateway.ts"
import { print, printJson } from "./_print.ts"
import { fetchSpending } from "./_spending-request.ts"
import { type AgentState, drawStatusLine, toStatusLine } from "./_status-line.ts"

/** The options of the command `statusline`. */
export interface StatusLineArgs extends RemoteArgs {
  readonly format?: string | undefined
  readonly json?: boolean | undefined
}

/** Claude Code writes its state at once. Another program may keep the pipe open, or write without an end. */
const STDIN_TIMEOUT_MS = 500
const MAX_STATE_LENGTH = 1024 * 1024

/** Prints the status line. Its parts need two answers, of which both have a time-out: stdin's, and the gateway's. */
export async function drawStatus(args: StatusLineArgs): Promise<void> {
  const state = await readState()
  const session = typeof state.session_id === "string" && state.session_id !== "" ? state.session_id : undefined
  // An error would leave the line empty, or break what else it shows. So it is a part of the line.
  const answer = await fetchSpending(args, session).then(
    (spending) => ({ spending }),
    (error: unknown) => ({ hint: error instanceof CommandError ? error.message : "internal error" }),
  )
  const line = toStatusLine(state, answer)
  if (args.json) printJson(line, "one line")
  else print(drawStatusLine(line, { format: args.format, color: !readRuntimeEnvironment().noColor }))
}

/** Reads what Claude Code writes to stdin. Anything else says nothing. */
async function readState(): Promise<AgentState> {
  const { stdin } = process
  if (stdin.isTTY) return {}
  let text = ""
  const timer = setTimeout(() => stdin.destroy(), STDIN_TIMEOUT_MS)
  try {
    for await (const piece of stdin.setEncoding("utf8")) {
      text += piece
      if (text.length > MAX_STATE_LENGTH) break
    }
  } catch {
    // The time is over. What came before may be the whole state.
  } finally {
    clearTimeout(timer)
  }
  return parseState(text)
}

function parseState(text: string): AgentState {
  try {
    const state: unknown = JSON.parse(text)
    return typeof state === "object" && state !== null ? (state as AgentState) : {}
  } catch {
    return {}
  }
}
