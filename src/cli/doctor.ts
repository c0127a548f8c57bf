import { redactSecretValues } from "../core/secrets.ts"
import { examine, type Finding } from "../operations/doctor/examine.ts"
import { COMMON, defineCommand, JSON_OPTION } from "./_command.ts"
import { noteThisMachine } from "./_gateway.ts"
import { findScreen, print, printJson, printMessage } from "./_print.ts"
import { loadCommandSettings } from "./_settings.ts"
import { printable } from "./_text.ts"

export default defineCommand({
  meta: {
    name: "doctor",
    description: "check settings, disk, database, S3, prices, clock and providers; say what is wrong and what to do",
  },
  args: { ...JSON_OPTION, ...COMMON },
  examples: ["majordomo-gateway doctor", "majordomo-gateway doctor --json | jq '.findings[] | select(.fix)'"],
  async run({ args }) {
    noteThisMachine(args)
    const load = () => loadCommandSettings({ configFile: args.config })
    const findings = (await examine({ loadSettings: load, log: printMessage })).map(redact)
    const problems = findings.filter(({ status }) => status === "problem").length
    if (args.json) printJson({ healthy: problems === 0, findings })
    else print(renderFindings(findings))
    if (problems === 0) return
    printMessage(problems === 1 ? "error: 1 problem was found" : `error: ${problems} problems were found`)
    process.exitCode = 1
  },
})

function redact(finding: Finding): Finding {
  return { ...finding, message: redactSecretValues(finding.message) }
}

const MARKS = { ok: "✓", warning: "!", problem: "✗", skipped: "-" } as const

function renderFindings(findings: readonly Finding[]): string {
  const { drawing } = findScreen()
  const width = Math.max(...findings.map(({ check }) => check.length))
  return findings
    .map(({ check, status, message, fix }, at) => {
      const mark = drawing ? MARKS[status] : status.padEnd(8)
      const name = findings[at - 1]?.check === check ? "" : check
      const indent = " ".repeat(mark.length + width + 4)
      const lines = printable(message, "lines").replaceAll("\n", `\n${indent}`)
      return `${mark}  ${name.padEnd(width)}  ${lines}${fix ? `\n${indent}-> ${printable(fix)}` : ""}`
    })
    .join("\n")
}
