import { afterAll, beforeAll, expect, test } from "vitest"
import { createInstallation, type Installation } from "../support/gateway.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { noTerminal, runOnTerminal } from "../support/terminal.ts"

let database: TestDatabase
let home: Installation
beforeAll(async () => {
  database = await createTestDatabase()
  home = createInstallation({ DATABASE_URL: database.url, TZ: "UTC" })
})
afterAll(async () => {
  await home.remove()
  await database.drop()
})

const count = (text: string, what: RegExp) => text.match(what)?.length ?? 0

test("--watch shows the output again until Ctrl-C, which is no error", async () => {
  const isTwice = (stdout: string) => count(stdout, /^{$/gm) >= 2
  const { code, stdout, stderr } = await home.runUntil(isTwice, ["usage", "--watch", "1", "--json"])
  expect([code, stderr, isTwice(stdout)]).toEqual([0, "", true])
  // A file gets no commands for a terminal.
  expect(stdout).not.toContain("\u001b")
})

test("an error is shown, and watching goes on", async () => {
  const away = { DATABASE_URL: "postgres://me@127.0.0.1:1/x" }
  const isTwice = (_: string, stderr: string) => count(stderr, /^error: /gm) >= 2
  const { code, stderr } = await home.runUntil(isTwice, ["status", "--watch", "1"], away)
  expect(stderr).toMatch(/^(error: no PostgreSQL listens at 127\.0\.0\.1:1.*\n){2,}$/)
  expect(code).toBe(1)
})

test.skipIf(noTerminal)(
  "on a terminal, each output replaces the one before, and at the end the last one is below what was there before",
  async () => {
    const env = { HOME: home.home, DATABASE_URL: database.url, TZ: "UTC" }
    const prompt = /\u001b\[2J[\s\S]*\u001b\[2J.*1 thing needs attention/
    const { screen } = await runOnTerminal(["status", "--watch", "1"], { env, prompt, answer: "\u0003" })
    const [before, second, after] = screen.split(/\u001b\[\?1049[hl]/)
    expect(before).toBe("")
    expect(second).toMatch(
      /^\u001b\[H\u001b\[2J.*1 thing needs attention[\s\S]*\u001b\[H\u001b\[2J.*1 thing needs attention/,
    )
    // The text that was on the terminal before is not erased, and the last output is below it.
    expect(second).not.toContain("\u001b[3J")
    expect(after).toMatch(/^[^\n]*1 thing needs attention/)
  },
)

test.each([["0"], ["soon"], ["1.5"]])("--watch %s is wrong usage", async (value) => {
  const { code, stderr } = await home.run(["usage", "--watch", value])
  expect([code, stderr]).toEqual([
    2,
    `error: --watch: expected a whole number from 1 to 86400, got ${JSON.stringify(value)}\n`,
  ])
})
