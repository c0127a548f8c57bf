import type { LoadedSettings } from "../config/load.ts"
import { CommandError } from "../core/errors.ts"
import { isPostgres } from "../database/open.ts"
import { loadSettings } from "../server/settings.ts"
import { COMMON, defineCommand, JSON_OPTION } from "./_command.ts"
import { findScreen, print, printJson, say } from "./_print.ts"
import { printable } from "./_text.ts"
import { checkS3 } from "./doctor/_bodies.ts"
import { checkDatabase } from "./doctor/_database.ts"
import { checkDirectory } from "./doctor/_directory.ts"
import { type Finding, finder } from "./doctor/_finding.ts"
import { checkPort, checkProviders } from "./doctor/_network.ts"
import { checkPrices } from "./doctor/_prices.ts"

export default defineCommand({
  meta: {
    name: "doctor",
    description: "check settings, disk, database, S3, prices, clock and providers; say what is wrong and what to do",
  },
  args: { ...JSON_OPTION, ...COMMON },
  examples: ["majordomo-gateway doctor", "majordomo-gateway doctor --json | jq '.findings[] | select(.fix)'"],
  async run({ args }) {
    const findings = await examine(args.config)
    const problems = findings.filter(({ status }) => status === "problem").length
    if (args.json) printJson({ healthy: problems === 0, findings })
    else print(render(findings))
    if (problems === 0) return
    say(problems === 1 ? "error: 1 problem was found" : `error: ${problems} problems were found`)
    process.exitCode = 1
  },
})

async function examine(configFile: string | undefined): Promise<Finding[]> {
  const { ok, warning, problem } = finder("settings")
  let loaded: LoadedSettings
  try {
    loaded = await loadSettings({ configFile })
  } catch (error) {
    if (error instanceof CommandError) return [problem(error.message, "correct them: nothing else was checked")]
    throw error
  }
  const { settings, sources, warnings } = loaded
  const said = new Set(Object.values(sources).filter((source) => source !== "default"))
  const from = said.size === 0 ? "all are the defaults" : `from ${[...said].join(", ")}`
  const checks = [
    () => checkDirectory(settings, !isPostgres(settings.storage)),
    () => checkDatabase(settings),
    () => checkS3(settings),
    () => checkPrices(settings),
    () => checkProviders(settings),
    () => checkPort(settings),
  ]
  const findings = [ok(from), ...warnings.map((text) => warning(text))]
  for (const check of checks) findings.push(...(await check()))
  return findings
}

const MARKS = { ok: "✓", warning: "!", problem: "✗", skipped: "-" } as const

function render(findings: readonly Finding[]): string {
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
