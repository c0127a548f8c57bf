import { formatDecimal, parseDecimal } from "../../src/core/decimal.ts"
import type { LogRecord } from "../../src/core/log-record.ts"
import { EXPECTATIONS, type Expectation, type ExpectedRow, HELD_BY } from "./expectations.ts"
import type { InputFile } from "./inputs.ts"
import { replay } from "./replay.ts"

export interface FailingReport {
  readonly text: string
  /** False if a file failed that is not expected to fail, or that nobody has an expectation of. */
  readonly passed: boolean
}

type Verdict = "held" | "failed" | "pending" | "held, although pending"

/** Replays every file, and compares the rows with what they should be. */
export async function reportFailing(
  files: readonly InputFile[],
  expectations: Readonly<Record<string, Expectation>> = EXPECTATIONS,
): Promise<FailingReport> {
  const lines: string[] = []
  const counts = new Map<Verdict, number>()
  for (const file of files) {
    const { verdict, detail } = await judge(file, expectations[file.name])
    counts.set(verdict, (counts.get(verdict) ?? 0) + 1)
    lines.push(`${verdict.padEnd(22)} ${file.name}${detail === "" ? "" : `: ${detail}`}`)
  }
  const count = (verdict: Verdict) => counts.get(verdict) ?? 0
  const held = count("held") + count("held, although pending")
  lines.push("", `${held} of ${files.length} held, ${count("pending")} pending`)
  return { text: lines.join("\n"), passed: count("failed") === 0 }
}

async function judge(
  file: InputFile,
  expectation: Expectation | undefined,
): Promise<{ readonly verdict: Verdict; readonly detail: string }> {
  const test = HELD_BY[file.name]
  if (test !== undefined) return { verdict: "held", detail: test }
  if (!expectation) return { verdict: "failed", detail: "there is no expectation in test/failing/expectations.ts" }
  const problems = findProblems(await replay(file, expectation), expectation, file.requests.length)
  const { pending } = expectation
  if (problems.length === 0)
    return { verdict: pending === undefined ? "held" : "held, although pending", detail: pending ?? "" }
  const detail = problems.join("; ")
  return pending === undefined ? { verdict: "failed", detail } : { verdict: "pending", detail: `${pending}: ${detail}` }
}

function findProblems(
  rows: readonly LogRecord[],
  { rows: expected, sum, isRejected }: Expectation,
  requests: number,
): string[] {
  const problems = rows.flatMap((row, index) => {
    const wanted = expected?.[expected.length === 1 ? 0 : index]
    return wanted ? rowProblems(row, wanted, index) : []
  })
  const total = formatDecimal(rows.reduce((all, { total_cost }) => all + parseDecimal(total_cost ?? "0"), 0n))
  if (sum !== undefined && total !== sum) problems.push(`sum: expected ${sum}, got ${total}`)
  if (isRejected) return rows.map(({ provider }) => `a request was sent to ${provider}`)
  if (rows.length < requests) problems.push(`${requests} requests made ${rows.length} rows`)
  return problems
}

function rowProblems(row: LogRecord, wanted: ExpectedRow, index: number): string[] {
  return Object.entries(wanted).flatMap(([column, value]) => {
    const got = row[column as keyof LogRecord] ?? null
    const allowed: readonly unknown[] = Array.isArray(value) ? value : [value]
    const text = allowed.map((each) => JSON.stringify(each)).join(" or ")
    return allowed.includes(got) ? [] : [`row ${index + 1}, ${column}: expected ${text}, got ${JSON.stringify(got)}`]
  })
}
