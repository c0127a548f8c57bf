import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type LimitFieldError, parseLimit } from "../../src/config/limits.ts"
import { loadSettings } from "../../src/server/settings.ts"

let cwd: string
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "mdm-limits-"))
})
afterAll(() => rmSync(cwd, { recursive: true }))

const load = (yaml: string, env: Readonly<Record<string, string>> = {}) => {
  writeFileSync(join(cwd, "majordomo.yaml"), yaml)
  return loadSettings({ cwd, env, systemFile: join(cwd, "none.yaml") })
}
const errorOf = (yaml: string) =>
  load(yaml).then(
    () => "accepted",
    (error: Error) => error.message,
  )

const BUDGET = { name: "search", measure: "cost", amount: 50, window: "month" }

describe("limits in the configuration", () => {
  test("have the fields of the admin API, with their defaults", async () => {
    const { settings } = await load(`
limits:
  - { name: search, measure: cost, amount: 50, window: month, tz: europe/berlin, where: { team: search }, notify_at: [100, 50] }
  - { name: jobs, measure: concurrency, amount: 5, per: user-id }
`)
    expect(settings.limits).toEqual([
      {
        name: "search",
        measure: "cost",
        amount: "50",
        window: "month",
        tz: "Europe/Berlin",
        key: undefined,
        provider: undefined,
        model: undefined,
        where: { Team: "search" },
        per: undefined,
        action: "block",
        notifyAt: [50, 100],
        estimate: "expected",
        unpriced: "allow",
      },
      expect.objectContaining({ name: "jobs", window: "total", tz: "UTC", per: "User-Id" }),
    ])
  })

  test("are undefined without the setting, and an empty list is none", async () => {
    expect((await load("server: { port: 1 }")).settings.limits).toBeUndefined()
    expect((await load("limits: []")).settings.limits).toEqual([])
  })

  test("are read from the environment as JSON", async () => {
    const { settings } = await load("", { MAJORDOMO_LIMITS: JSON.stringify([BUDGET]) })
    expect(settings.limits).toMatchObject([BUDGET].map((each) => ({ ...each, amount: "50" })))
  })

  test.each([
    ["limits: { name: a }", "limits (majordomo.yaml): expected a list of limits, got a section"],
    [
      "limits: [{ name: a, measure: cost, amount: 5, window: month }, { name: b, measure: costs, amount: 5 }]",
      'limits[1].measure (majordomo.yaml): expected one of cost, requests, input_tokens, output_tokens, tokens, concurrency, got "costs"; did you mean cost?',
    ],
    [
      "limits: [{ name: a, measure: cost, ammount: 5, window: month }]",
      "limits[0].ammount (majordomo.yaml): a limit has no such field; did you mean amount?",
    ],
    [
      "limits: [{ name: a, measure: cost, amount: 5 }]",
      "limits[0].window (majordomo.yaml): expected one of minute, hour, day, week, month, total, got nothing",
    ],
    [
      "limits: [{ name: a, measure: cost, amount: 5, window: day }, { name: a, measure: cost, amount: 5, window: day }]",
      'limits[1].name (majordomo.yaml): another limit is called "a" too',
    ],
    ["limits: [5]", "limits[0] (majordomo.yaml): expected a limit, got 5"],
  ])("%s is rejected with the path of the wrong field", async (yaml, message) => {
    expect(await errorOf(yaml)).toBe(message)
  })
})

describe("a field of a limit that is not valid is rejected, with the nearest valid value", () => {
  const problemOf = (change: Readonly<Record<string, unknown>>) => {
    try {
      return parseLimit({ ...BUDGET, ...change })
    } catch (error) {
      const { field, problem } = error as LimitFieldError
      return `${field}: ${problem}`
    }
  }
  test.each([
    [{ amount: -1 }, "amount: expected a plain decimal that is not negative, such as 50 or 0.25, got -1"],
    [{ amount: "$50" }, 'amount: expected a plain decimal that is not negative, such as 50 or 0.25, got "$50"'],
    [{ amount: "0.0000000001" }, "amount: expected at most 9 digits after the point, got 0.0000000001"],
    [{ amount: 9000001 }, "amount: expected at most 9000000, got 9000001"],
    [
      { measure: "requests", amount: "1.5" },
      "amount: expected a whole number, because the measure is requests, got 1.5",
    ],
    [
      { window: "mounth" },
      'window: expected one of minute, hour, day, week, month, total, got "mounth"; did you mean month?',
    ],
    [
      { measure: "concurrency" },
      'window: expected none, because a limit on concurrency counts the requests that are running, got "month"',
    ],
    [{ tz: "Europe/Berln" }, 'tz: expected a time zone such as Europe/Berlin or UTC, got "Europe/Berln"'],
    [
      { model: "*-mini" },
      'model: expected a model such as gpt-5, or gpt-5* for all that begin with gpt-5, got "*-mini"',
    ],
    [{ where: "Team" }, 'where: expected values by metadata name, such as { Team: search }, got "Team"'],
    [{ per: "modle" }, 'per: expected key, model or a metadata name such as User-Id, got "modle"; did you mean model?'],
    [{ action: "wran" }, 'action: expected block or warn, got "wran"; did you mean warn?'],
    [{ notify_at: [0] }, "notify_at: expected whole percentages from 1 to 1000, such as [50, 80, 100], got a list"],
    [
      { measure: "tokens", unpriced: "block" },
      "unpriced: only a limit on cost can block models without a price, got tokens",
    ],
    [
      { name: "0199f3c2-7a51-7b3e-9c1d-2f4e5a6b7c8d" },
      'name: expected a name of at most 255 characters that does not have the form of an id, got "0199f3c2-7a51-7b3e-9c1d-2f4e5a6b7c8d"',
    ],
    [{ name: " " }, 'name: expected a name of at most 255 characters that does not have the form of an id, got " "'],
  ])("%j", (change, problem) => {
    expect(problemOf(change)).toBe(problem)
  })
})
