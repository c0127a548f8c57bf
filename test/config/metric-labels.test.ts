import { describe, expect, test } from "vitest"
import { metricLabels } from "../../src/config/metric-labels.ts"
import { INVALID } from "../../src/config/value-parsers.ts"

const parse = (raw: unknown) => metricLabels.parse(raw, "/")

describe("telemetry.labels", () => {
  test("are metadata names in any spelling, from a list or a text, by the labels that they become", () => {
    const expected = { team: "Team", user_id: "User-Id", cost_center: "Cost_center" }
    expect(parse(["Team", "user-id", "cost_center"])).toEqual(expected)
    expect(parse("team, User-Id, Cost_Center")).toEqual(expected)
    expect(parse(["user", "client", "session"])).toEqual({
      user_id: "User-Id",
      client: "Client",
      session_id: "Session-Id",
    })
    expect(parse("")).toEqual({})
  })

  test.each([
    [["Team", "model"], "[1]", 'a metric has a label "model" already'],
    [["le"], "[0]", 'a metric has a label "le" already'],
    [["User-Id", "user_id"], "[1]", 'another name has the label "user_id" too'],
    [["Team", "no spaces"], "[1]", "expected a metadata name that begins with a letter"],
    [["constructor", "1st"], "[1]", "expected a metadata name that begins with a letter"],
    [Array.from({ length: 11 }, (_, i) => `n${i}`), "", "expected a list of at most 10 metadata names"],
    [7, "", "expected a list of at most 10 metadata names"],
  ])("rejects %j", (raw, path, why) => {
    expect(parse(raw)).toBe(INVALID)
    expect(metricLabels.explain!(raw)).toEqual({ path, why: expect.stringContaining(why) })
  })
})
