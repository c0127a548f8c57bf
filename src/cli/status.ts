import type { OutputOf } from "../api/_route.ts"
import { status } from "../api/routes/status.ts"
import { call, REMOTE } from "./_call.ts"
import { defineCommand, JSON_OPTION } from "./_command.ts"
import { print, printJson } from "./_print.ts"
import { printable, withThousands } from "./_text.ts"
import { WATCH_OPTION } from "./_watch.ts"
import { toTime } from "./keys/_keys.ts"

export default defineCommand({
  meta: { name: "status", description: "whether everything is well, in one screen; exit code 1 if something is not" },
  args: { ...JSON_OPTION, ...WATCH_OPTION, ...REMOTE },
  examples: ["majordomo-gateway status", "majordomo-gateway status --json | jq .problems"],
  async run({ args }) {
    const found = await call(args, status.get, {})
    if (args.json) printJson(found)
    else print(render(found))
    if (found.problems.length > 0) process.exitCode = 1
  },
})

function render({ version, database, replica, gateways, rows, prices, problems }: OutputOf<typeof status.get>): string {
  const n = withThousands
  const sum = `${n(rows.accepted)} accepted = ${n(rows.written)} written + ${n(rows.waiting)} waiting + ${n(rows.rejected)} rejected + ${n(rows.dropped)} dropped`
  const names = gateways.map(({ name, last_seen_at: seen }) => `${printable(name)}, last seen ${toTime(seen)}`)
  const lines = [
    ["Version", version],
    ["Database", printable(database.title)],
    ...(replica === null ? [] : [["Replica", renderReplica(replica)]]),
    ...(names.length === 0
      ? [["Gateways", "none is running"]]
      : names.map((each, i) => [i === 0 ? "Gateways" : "", each])),
    ["Rows", sum],
    [
      "Prices",
      `${n(prices.models)} models; the lists were checked ${prices.checked_at === null ? "never" : toTime(prices.checked_at)}`,
    ],
    ...(problems.length === 0
      ? [["Problems", "none"]]
      : problems.map((problem, i) => [i === 0 ? "Problems" : "", printable(problem)])),
  ]
  return lines.map(([name, value]) => `${name!.padEnd(10)}${value}`).join("\n")
}

function renderReplica({
  is_used: isUsed,
  lag_ms: lag,
}: {
  readonly is_used: boolean
  readonly lag_ms: number | null
}) {
  const behind = lag === null ? "" : `${(lag / 1000).toFixed(2)} s behind; `
  return `${behind}reports are read from ${isUsed ? "it" : "the primary"}`
}
