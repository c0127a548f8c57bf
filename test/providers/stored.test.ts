import { readdirSync, readFileSync } from "node:fs"
import { beforeAll, describe, expect, test } from "vitest"
import type { Reading } from "../../src/core/usage.ts"
import type { Dialect } from "../../src/providers/_dialect.ts"
import { DIALECTS } from "../../src/providers/catalog.ts"
import { readStoredAnswer } from "../../src/providers/stored.ts"
import { asRequest, formatOf, meterRecording } from "../conformance/judge.ts"
import { readRecordings } from "../conformance/recordings.ts"
import { openMeter } from "../support/meter.ts"

/** Returns what a price depends on. */
function billed({ parts, units, tier, speed, geo, reportedCostUsd, inconsistent, ...more }: Reading) {
  const { missing, isReportedCostEstimated } = more
  return { parts, units, tier, speed, geo, reportedCostUsd, inconsistent, missing, isReportedCostEstimated }
}

/** Returns the reading of what the row keeps, after its way through JSON. */
function readAgain(dialect: Dialect, stored: { method: string; path: string }, reading: Reading): Reading | undefined {
  const usage = reading.raw === undefined ? undefined : JSON.parse(JSON.stringify(reading.raw))
  const { method, path } = stored
  return readStoredAnswer(dialect, { method, path, model: reading.model, usage })
}

const recordings = readRecordings("../shared/corpus") && [
  ...readRecordings("../shared/corpus")!,
  ...(readRecordings("../shared/corpus-clouds") ?? []),
]
beforeAll(() => DIALECTS.bedrock.load?.())

test.skipIf(!recordings)("every recorded answer has the same reading from its row as from its bytes", () => {
  let counted = 0
  for (const recording of recordings!) {
    const reading = meterRecording(recording, Number.MAX_SAFE_INTEGER)
    const again = readAgain(DIALECTS[formatOf(recording)], asRequest(recording).request, reading)
    if (reading.source === "none" && Object.keys(reading.units).length === 0) {
      expect(again, recording.id).toBeUndefined()
      continue
    }
    counted++
    expect(again && billed(again), recording.id).toEqual(billed(reading))
  }
  expect(counted).toBeGreaterThan(380)
})

describe.each(["openai", "anthropic", "bedrock", "gemini", "compatible"] as const)("%s", (name) => {
  const directory = new URL(`../fixtures/${name}/`, import.meta.url)
  const dialect = DIALECTS[name === "compatible" ? "openai" : name]
  test.each(readdirSync(directory))("%s has the same reading from its row as from its bytes", (file) => {
    const fixture = JSON.parse(readFileSync(new URL(file, directory), "utf8"))
    for (const host of ["api.openai.com", "eu.api.openai.com"]) {
      const request = {
        provider: "test",
        method: fixture.method,
        path: fixture.path,
        query: "",
        headers: { "content-type": "application/json" },
        body: Buffer.from(fixture.request ?? ""),
        host,
      }
      const head = { statusCode: fixture.status, contentType: fixture.contentType }
      const meter = openMeter(dialect, request, head)
      meter?.push(Buffer.from(fixture.body.join("\n")))
      const reading = meter?.end({ complete: fixture.complete !== false })
      if (!reading || (reading.source === "none" && Object.keys(reading.units).length === 0)) return
      const again = readAgain(dialect, fixture, reading)
      expect(again && billed(again)).toEqual(billed(reading))
    }
  })
})

test.each(["openai", "anthropic", "gemini"] as const)("%s: a row without usage has no reading", (name) => {
  const stored = { method: "POST", path: "/v1/chat/completions", model: "m" }
  for (const usage of [undefined, null, 1, "x", [], {}, { sums: 1 }, { billed_beside: 7 }]) {
    expect(readStoredAnswer(DIALECTS[name], { ...stored, usage })).toBeUndefined()
  }
})
