import { expect, test } from "vitest"
import { hasTest } from "../matrix/faults.ts"
import { HELD_BY } from "./expectations.ts"
import type { InputFile } from "./inputs.ts"
import { reportFailing } from "./report.ts"

const USAGE = { prompt_tokens: 1000, completion_tokens: 500, total_tokens: 1500 }
const CHAT: InputFile = {
  name: "chat.json",
  requests: [
    {
      method: "POST",
      path: "/v1/chat/completions",
      headers: { "content-type": "application/json" },
      body: { model: "gpt-4o-mini", messages: [] },
    },
  ],
  answers: [
    {
      status: 200,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "gpt-4o-mini-2024-07-18", choices: [], usage: USAGE }),
    },
  ],
}
const RIGHT = { rows: [{ total_cost: "0.00045", cost_status: ["exact", "estimated"] }], sum: "0.00045" } as const
const WRONG = { rows: [{ total_cost: "0.0005" }] }

test("a file whose rows are as expected has held", async () => {
  const { text, passed } = await reportFailing([CHAT], { "chat.json": RIGHT })
  expect(text).toContain("1 of 1 held, 0 pending")
  expect(passed).toBe(true)
})

test("a row that differs, or a file without an expectation, fails the run", async () => {
  const { text, passed } = await reportFailing([CHAT], { "chat.json": WRONG })
  expect(text).toContain('failed                 chat.json: row 1, total_cost: expected "0.0005", got "0.00045"')
  expect(passed).toBe(false)
  expect((await reportFailing([CHAT], {})).passed).toBe(false)
})

test("a pending file does not fail the run, and is pointed out when it holds", async () => {
  const failing = await reportFailing([CHAT], { "chat.json": { ...WRONG, pending: "M1" } })
  expect(failing.text).toContain("pending                chat.json: M1: row 1")
  expect(failing.passed).toBe(true)
  const holding = await reportFailing([CHAT], { "chat.json": { ...RIGHT, pending: "M1" } })
  expect(holding.text).toContain("held, although pending chat.json: M1")
  expect(holding.passed).toBe(true)
})

test("a file that is not about money has held because of a test, which exists", async () => {
  expect(Object.values(HELD_BY).filter((test) => !hasTest(test))).toEqual([])
  const [name = "", held] = Object.entries(HELD_BY)[0]!
  const { text } = await reportFailing([{ ...CHAT, name }])
  expect(text).toContain(`held                   ${name}: ${held}`)
})
