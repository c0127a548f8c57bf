import { expect, test } from "vitest"
import { createLagMeter } from "../../src/database/replica/lag.ts"
import type { Position } from "../../src/database/replica/position.ts"

const HOUR_MS = 3_600_000
const NOW = Date.UTC(2026, 10, 29, 12)

function at(wal: number, clockMs: number, replayedMs?: number): Position {
  return {
    wal: BigInt(wal),
    timeline: 1,
    isStandby: replayedMs !== undefined,
    identity: "",
    schema: 1,
    changes: "",
    clockMs,
    replayedMs,
  }
}

test("a standby that has replayed what the primary had written is not behind, however old its newest transaction is", () => {
  const measure = createLagMeter()
  expect(measure(at(100, NOW), at(100, NOW, NOW - HOUR_MS))).toBe(0)
  expect(measure(at(100, NOW), at(101, NOW, NOW - HOUR_MS))).toBe(0)
})

test("the first write after an hour of silence does not look like a lag of an hour", () => {
  const measure = createLagMeter()
  measure(at(100, NOW - 2000), at(100, NOW - 2000, NOW - HOUR_MS))
  expect(measure(at(200, NOW), at(100, NOW, NOW - HOUR_MS))).toBe(2000)
})

test("a standby that was behind before this process began is behind by the age of its newest transaction", () => {
  const measure = createLagMeter()
  expect(measure(at(200, NOW), at(100, NOW, NOW - HOUR_MS))).toBe(HOUR_MS)
  expect(measure(at(300, NOW + 2000), at(100, NOW, NOW - HOUR_MS))).toBe(HOUR_MS + 2000)
})

test("a standby that has replayed no transaction yet is behind by an unknown time", () => {
  const measure = createLagMeter()
  const { replayedMs: _, ...standby } = at(100, NOW, 0)
  expect(measure(at(200, NOW), { ...standby, replayedMs: undefined })).toBe(Number.POSITIVE_INFINITY)
})

test("the lag of a standby that stands still is exact for hours, and only the clock of the primary counts", () => {
  const measure = createLagMeter()
  const seconds = Array.from({ length: 7200 }, (_, second) => second)
  const lags = seconds.map((second) => measure(at(100 + second, NOW + second * 1000), at(100, 0, NOW - HOUR_MS)))
  expect(lags).toEqual(seconds.map((second) => second * 1000))
})

test("another primary begins with another log", () => {
  const measure = createLagMeter()
  measure(at(1000, NOW), at(1000, NOW, NOW))
  expect(measure(at(500, NOW + 1000), at(400, NOW, NOW - 5000))).toBe(6000)
})
