import { DIALECTS } from "../../src/providers/catalog.ts"
import { judgeMetered } from "./judge.ts"
import type { Recording } from "./recordings.ts"
import { startRelay } from "./relay.ts"

/** Recordings whose expectation we consider wrong, with the reason by id. They are run and listed, but not counted. */
export const DISPUTED: Readonly<Record<string, string>> = {}

/** The sizes of the pieces in which each response is metered, in bytes: whole, typical of a network, and tiny. */
const SIZES = [Number.MAX_SAFE_INTEGER, 1400, 3]

export interface Report {
  readonly text: string
  readonly passed: boolean
}

/**
 * Reports the share of recordings that pass the gateway unchanged and are read correctly, by provider and kind, and what is
 * wrong with the others. Each recording passes the relay once, and its meter alone in pieces of each size.
 */
export async function report(recordings: readonly Recording[]): Promise<Report> {
  const groups = new Map<string, { right: number; all: number }>()
  const failures: string[] = []
  const excluded: string[] = []
  await DIALECTS.bedrock.load?.()
  const relay = await startRelay(recordings)
  for (const recording of recordings) {
    const { id, provider, kind, streaming, expected } = recording
    const why = expected.ambiguous ?? DISPUTED[id]
    if (why !== undefined) {
      excluded.push(`  ${id}: ${why}`)
      continue
    }
    const problems = [...(await relay.judge(recording)), ...SIZES.flatMap((size) => judgeMetered(recording, size))]
    const name = `${provider} ${kind}${streaming ? " stream" : ""}`
    const group = groups.get(name) ?? { right: 0, all: 0 }
    groups.set(name, group)
    group.all++
    if (problems.length === 0) group.right++
    else failures.push(`  ${id}: ${[...new Set(problems)].join("; ")}`)
  }
  await relay.close()
  const all = [...groups.values()].reduce((sum, group) => sum + group.all, 0)
  const lines = [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, { right, all }]) => line(name, right, all))
  lines.push(line("all", all - failures.length, all))
  if (excluded.length > 0) lines.push("", `not counted (${excluded.length}):`, ...excluded)
  if (failures.length > 0) lines.push("", `wrong (${failures.length}):`, ...failures)
  return { text: lines.join("\n"), passed: failures.length === 0 && all > 0 }
}

function line(name: string, right: number, all: number): string {
  const share = all === 0 ? "-" : `${((100 * right) / all).toFixed(right === all ? 0 : 1)} %`
  return `${name.padEnd(44)} ${`${right}/${all}`.padStart(9)} ${share.padStart(8)}`
}
