import { version } from "../../package.json"
import { status } from "../api/routes/status.ts"
import { CommandError } from "../core/errors.ts"
import { redactSecretValues } from "../core/secrets.ts"
import { examine, type Finding } from "../operations/doctor/examine.ts"
import { examineFromAfar } from "../operations/doctor/from-afar.ts"
import { renderAttention, toMark } from "./_attention.ts"
import { call, REMOTE } from "./_call.ts"
import { defineCommand, JSON_OPTION } from "./_command.ts"
import { findGateway, noteThisMachine, type RemoteArgs } from "./_gateway.ts"
import { findScreen, print, printJson, printMessage, type Screen } from "./_print.ts"
import { loadCommandSettings } from "./_settings.ts"
import { printable, wrap } from "./_text.ts"

export default defineCommand({
  meta: {
    name: "doctor",
    description:
      "check settings, disk, database, rows, budgets, S3, prices, clock and providers; say what is wrong and what to do. Exit code 1 if there is a problem. With --gateway, check a gateway on another machine",
  },
  args: { ...JSON_OPTION, ...REMOTE },
  examples: [
    "majordomo-gateway doctor",
    "majordomo-gateway doctor --json | jq '.findings[] | select(.fix)'",
    "majordomo-gateway doctor --gateway https://gateway.example.com",
  ],
  async run({ args }) {
    const findings = (await (args.gateway === undefined ? examineHere(args) : examineThere(args))).map(redact)
    const problems = findings.filter(({ status }) => status === "problem").length
    if (args.json) printJson({ healthy: problems === 0, findings })
    else print(renderFindings(findings, findScreen()))
    if (problems === 0) return
    printMessage(problems === 1 ? "error: 1 problem was found" : `error: ${problems} problems were found`)
    process.exitCode = 1
  },
})

function examineHere(args: RemoteArgs): Promise<readonly Finding[]> {
  if (args.token !== undefined) throw new CommandError("--token: expected --gateway, too", 2)
  noteThisMachine(args)
  const load = () => loadCommandSettings({ configFile: args.config })
  return examine({ loadSettings: load, log: printMessage })
}

function examineThere(args: RemoteArgs): Promise<readonly Finding[]> {
  const origin = findGateway(args)!.url
  return examineFromAfar({ origin, version, readStatus: () => call(args, status.get, {}) })
}

function redact(finding: Finding): Finding {
  return { ...finding, message: redactSecretValues(finding.message) }
}

const LEVELS = { ok: "ok", warning: "notice", problem: "problem", skipped: "skipped" } as const

/** Renders what needs attention, and below it what was checked and is well. */
function renderFindings(findings: readonly Finding[], screen: Screen): string {
  const isWell = ({ status }: Finding) => status === "ok" || status === "skipped"
  const items = findings
    .filter((finding) => !isWell(finding))
    .toSorted((a, b) => Number(a.status === "warning") - Number(b.status === "warning"))
    .map(({ check, status, message, fix }) => {
      return {
        level: status === "warning" ? ("notice" as const) : ("problem" as const),
        message: `${check}: ${message}`,
        fix,
      }
    })
  const well = findings.filter(isWell)
  const width = Math.max(0, ...well.map(({ check }) => check.length))
  const lines = well.flatMap(({ check, status, message }, at) => {
    const name = well[at - 1]?.check === check ? "" : check
    const mark = toMark(LEVELS[status], screen)
    const indent = " ".repeat((screen.drawing ? 1 : "skipped".length) + width + 4)
    const room = screen.width === undefined ? undefined : screen.width - indent.length
    const [first = "", ...more] = printable(message, "lines")
      .split("\n")
      .flatMap((line) => wrap(line, room))
    return [`${mark}  ${name.padEnd(width)}  ${first}`, ...more.map((line) => indent + line)]
  })
  return [...renderAttention(items, screen), "", ...lines].join("\n")
}
