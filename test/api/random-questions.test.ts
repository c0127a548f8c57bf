import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { AnyRoute } from "../../src/api/_route.ts"
import { callLocally } from "../../src/api/call.ts"
import { callRemotely } from "../../src/api/remote.ts"
import { requests } from "../../src/api/routes/requests.ts"
import { runs } from "../../src/api/routes/runs.ts"
import { usage } from "../../src/api/routes/usage.ts"
import { createRandom, insertRandomUsage } from "../support/random-usage.ts"
import { insertKey } from "../support/usage-rows.ts"
import { type AdminApi, startAdminApi } from "./_api.ts"

let api: AdminApi
let gateway: { readonly url: string; readonly token: string }

beforeAll(async () => {
  api = await startAdminApi()
  const client = new pg.Client({ connectionString: api.caller.settings.storage.postgres.url })
  await client.connect()
  const keys = [await insertKey(client, "a & b = ü"), await insertKey(client, "+100 %")]
  await insertRandomUsage(client, { rows: 1500, since: "2026-02-27", until: "2026-03-31", keys, seed: 7 })
  await client.end()
  gateway = { url: api.url, token: (await api.createToken("admin")).token }
})
afterAll(() => api.close())

type Input = Readonly<Record<string, unknown>>

interface Answer {
  readonly json?: string
  readonly error?: { readonly name: string; readonly message: string; readonly exitCode: unknown }
  /** What was said to the person who waits. */
  readonly notes: readonly string[]
}

describe("a question has the same answer in the process of a command and over a socket", () => {
  const random = createRandom(20261128)
  const pick = <T>(...all: readonly T[]): T => all[Math.floor(random() * all.length)]!
  /** A value in one of four cases. */
  const maybe = (...values: readonly string[]) => (random() < 0.75 ? undefined : pick(...values))
  const day = () => `2026-03-${String(1 + Math.floor(random() * 31)).padStart(2, "0")}`
  const dimension = () =>
    pick("model", "provider", "key", "hour", "day", "week", "month", "status", "outcome", "User-Id", "Feature")

  const draw = (): readonly [AnyRoute, Input] => {
    const choice = {
      since: pick("2026-01-01", "2026-02-28T14:30", day()),
      // A period that ends now has another end when it is asked again.
      until: pick("2026-11-01", day(), `${day()}T02:30`),
      tz: pick("UTC", "Europe/Lisbon", "Asia/Kathmandu", "America/New_York", "Pacific/Apia"),
      model: maybe("gpt-4o-mini", "g*", "claude", "100 % & more"),
      provider: maybe("openai", "gemini"),
      key: maybe("a & b = ü", "+100 %", "unknown"),
      status: maybe("error", "success", "4*", "500", "+"),
      where: pick(
        [],
        [],
        [],
        [],
        ["User-Id=u3"],
        ["Feature=(none)", "User-Id=u1"],
        ["Feature=chat"],
        ["Feature=a&b=c#ü +"],
      ),
    }
    const limit = pick(undefined, undefined, undefined, 100, 1, 7, 7, 0)
    const by = pick(undefined, dimension(), `${dimension()},${dimension()}`)
    return pick<readonly [AnyRoute, Input]>(
      [usage.report, { ...choice, by, limit, sort: maybe("cost", "requests", "tokens", "name", "time", "size") }],
      [usage.overview, { ...choice, limit, sort: maybe("cost", "name") }],
      [usage.latency, { ...choice, by, limit, sort: maybe("p95", "errors", "cost") }],
      [usage.errors, { ...choice, by, limit }],
      [requests.list, { ...choice, limit }],
      [runs.list, { ...choice, limit }],
    )
  }

  const settle = async (ask: (log: (line: string) => void) => Promise<unknown>): Promise<Answer> => {
    const notes: string[] = []
    try {
      return { json: JSON.stringify(await ask((line) => void notes.push(line))), notes }
    } catch (error) {
      const { name, message, exitCode } = error as Error & { readonly exitCode: unknown }
      return { error: { name, message, exitCode }, notes }
    }
  }

  // Ten tests, because a busy machine needs long for 200 questions.
  test.each(Array.from({ length: 10 }, (_, i) => i + 1))(
    "for 20 random questions, valid and not (%i of 10)",
    async () => {
      const found = { answers: 0, rows: 0 }
      for (let i = 0; i < 20; i++) {
        const [route, input] = draw()
        const [own, remote] = await Promise.all([
          settle((log) => callLocally(route as Parameters<typeof callLocally>[0], { ...api.caller, log }, input)),
          settle((log) => callRemotely(route, gateway, input, { ...api.caller, log })),
        ])
        expect(remote, `${route.name} ${JSON.stringify(input)}`).toEqual(own)
        if (own.error === undefined) found.answers++
        if (/"(rows|items)":\[\{/.test(own.json ?? "")) found.rows++
      }
      // The questions are of all kinds.
      expect(found.answers).toBeGreaterThan(3)
      expect(found.answers).toBeLessThan(20)
      expect(found.rows).toBeGreaterThan(0)
      expect(api.bugs).toEqual([])
    },
  )
})
