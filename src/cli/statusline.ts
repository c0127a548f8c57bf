import { defineCommand, JSON_OPTION } from "./_command.ts"
import { drawStatus } from "./_draw-status.ts"

/** `bin/` calls `_statusline-only.ts` instead, unless the arguments are to be explained. */
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
  run: ({ args }) => drawStatus(args),
})
