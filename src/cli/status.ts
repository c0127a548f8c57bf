import type { OutputOf } from "../api/_route.ts"
import { status } from "../api/routes/status.ts"
import { renderAttention } from "./_attention.ts"
import { call, REMOTE } from "./_call.ts"
import { defineCommand, JSON_OPTION } from "./_command.ts"
import { findScreen, print, printJson, type Screen } from "./_print.ts"
import { describeStatus } from "./_status-lines.ts"
import { wrap } from "./_text.ts"
import { WATCH_OPTION } from "./_watch.ts"

export default defineCommand({
  meta: {
    name: "status",
    description:
      "whether everything is well, in one screen; exit code 1 if there is a problem, 0 if there are notices only",
  },
  args: { ...JSON_OPTION, ...WATCH_OPTION, ...REMOTE },
  examples: ["majordomo-gateway status", "majordomo-gateway status --json | jq '.attention[].fix'"],
  async run({ args }) {
    const found = await call(args, status.get, {})
    if (args.json) printJson(found)
    else print(render(found, findScreen()))
    if (found.problems.length > 0) process.exitCode = 1
  },
})

const NAME_WIDTH = 11

function render(found: OutputOf<typeof status.get>, screen: Screen): string {
  // A gateway of an older version says only which problems there are.
  const { attention = found.problems.map((message) => ({ level: "problem" as const, message, fix: undefined })) } =
    found as { readonly attention?: typeof found.attention }
  const room = screen.width === undefined ? undefined : screen.width - NAME_WIDTH
  const bold = (text: string) => (screen.color ? `\u001b[1m${text}\u001b[22m` : text)
  const lines = describeStatus(found, Date.now()).flatMap(([name, fact]) =>
    wrap(fact, room).map((line, i) => `${bold((i === 0 ? name : "").padEnd(NAME_WIDTH))}${line}`),
  )
  return [...renderAttention(attention, screen), "", ...lines].join("\n")
}
