import { describe, expect, it } from "vitest"
import { judgeMetered } from "../conformance/judge.ts"
import { readRecordings } from "../conformance/recordings.ts"
import { DISPUTED } from "../conformance/report.ts"

const recordings = readRecordings("../shared/corpus")?.filter(
  ({ id, expected }) => !expected.ambiguous && DISPUTED[id] === undefined,
)

describe.skipIf(!recordings)("recorded answers (skipped where the recordings are missing)", () => {
  for (const [how, size] of [
    ["whole", Number.MAX_SAFE_INTEGER],
    ["in pieces of 1400 bytes", 1400],
    ["in pieces of 7 bytes", 7],
  ] as const) {
    it(`are all read as they are billed, ${how}`, () => {
      const wrong = recordings!.flatMap((recording) => {
        const problems = judgeMetered(recording, size)
        return problems.length > 0 ? [`${recording.id}: ${problems.join("; ")}`] : []
      })
      expect(wrong).toEqual([])
    })
  }
})
