import { beforeAll, describe, expect, it } from "vitest"
import { DIALECTS } from "../../src/providers/catalog.ts"
import { judgeMetered } from "../conformance/judge.ts"
import { readRecordings } from "../conformance/recordings.ts"
import { DISPUTED } from "../conformance/report.ts"

const WHOLE = Number.MAX_SAFE_INTEGER

describe.each([
  ["recorded answers", "../shared/corpus", [WHOLE, 1400, 7]],
  ["recorded answers of clouds", "../shared/corpus-clouds", [WHOLE, 7]],
] as const)("%s (skipped where the recordings are missing)", (_what, directory, sizes) => {
  const recordings = readRecordings(directory)?.filter(
    ({ id, expected }) => !expected.ambiguous && DISPUTED[id] === undefined,
  )
  beforeAll(() => DIALECTS.bedrock.load?.())

  for (const size of sizes) {
    const how = size === WHOLE ? "whole" : `in pieces of ${size} bytes`
    it.skipIf(!recordings)(`are all read as they are billed, ${how}`, () => {
      const wrong = recordings!.flatMap((recording) => {
        const problems = judgeMetered(recording, size)
        return problems.length > 0 ? [`${recording.id}: ${problems.join("; ")}`] : []
      })
      expect(wrong).toEqual([])
    })
  }
})
