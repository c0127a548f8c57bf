import { readRuntimeEnvironment } from "../config/runtime-environment.ts"
import { CommandError } from "../core/errors.ts"
import { defineCommand, JSON_OPTION } from "./_command.ts"
import { print, printJson } from "./_print.ts"
import { fetchSpending } from "./_spending-request.ts"
import { type AgentState, drawStatusLine, toStatusLine } from "./_status-line.ts"

/** Claude Code writes its state at once. Another program may keep the pipe open and write nothing. */
const STDIN_TIMEOUT_MS = 500
const MAX_STATE_LENGTH = 1024 * 1024

export default defineCommand({
  meta: {
    name: "statusline",
    description:
      "the status line of Claude Code: what the session and the day cost, and what is left of the nearest budget",
  },
  args: {
    format: {
      type: "string",
      valueHint: "TEXT",
      description: "the line, with {session}, {today}, {left}, {limit}, {model}, {dir} and {hint}",
    },
    ...JSON_OPTION,
    gateway: { type: "string", valueHint: "URL", description: "ask this gateway (default: that of Claude Code)" },
    token: { type: "string", valueHint: "TOKEN", description: "an admin token, which sees the requests of all keys" },
  },
  examples: [
    "majordomo-gateway statusline < state.json",
    'majordomo-gateway statusline --format "{model} · {session} · {left}"',
  ],
  async run({ args }) {
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
  },
})

/** Reads what Claude Code writes to stdin. Anything else says nothing. */
async function readState(): Promise<AgentState> {
  const { stdin } = process
  if (stdin.isTTY) return {}
  let text = ""
  const timer = setTimeout(() => stdin.destroy(), STDIN_TIMEOUT_MS)
  try {
    for await (const piece of stdin.setEncoding("utf8")) if (text.length < MAX_STATE_LENGTH) text += piece
    const state: unknown = JSON.parse(text)
    return typeof state === "object" && state !== null ? (state as AgentState) : {}
  } catch {
    return {}
  } finally {
    clearTimeout(timer)
  }
}
