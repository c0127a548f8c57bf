import { spawn } from "node:child_process"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createInstallation, type Installation } from "../support/gateway.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { insertKey, insertRows } from "../support/usage-rows.ts"

const BIN = fileURLToPath(new URL("../../bin/majordomo.mjs", import.meta.url))

let database: TestDatabase
let home: Installation
const run = (...args: string[]) => home.run(args)
const json = async (...args: string[]) => JSON.parse((await run(...args, "--json")).stdout)

beforeAll(async () => {
  database = await createTestDatabase()
  home = createInstallation({ DATABASE_URL: database.url, TZ: "UTC" }, { inProcess: true })
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const key = await insertKey(client, "Development")
  const call = { key, cost: "0.25", input: 100, output: 10 }
  const span = (path: string) => ({ "Trace-Id": "t-1", "Span-Path": path, "Span-Name": "call" })
  await insertRows(client, [
    { ...call, at: "2026-01-01T10:00:00Z", metadata: { "User-Id": "1" } },
    { ...call, at: "2026-01-02T10:00:00Z", metadata: { "User-Id": "2", ...span("planner/tool:search") } },
    { ...call, at: "2026-01-02T10:00:30Z", metadata: span("planner"), code: 500 },
  ])
  await client.end()
})
afterAll(async () => {
  await home.remove()
  await database.drop()
})

const PERIOD = ["--since", "2026-01-01", "--until", "2026-01-31"]

describe("usage", () => {
  test("by a name that no request carried is rejected with the dimensions and the known names", async () => {
    const { code, stdout, stderr } = await run("usage", "--by", "Usr-Id", ...PERIOD)
    expect(stderr).toMatch(
      /there is no dimension "Usr-Id"; there are model, provider, key, .*of metadata requests carried .*User-Id/,
    )
    expect([code, stdout]).toEqual([2, ""])
  })

  test("for a period in the future says so", async () => {
    for (const args of [["usage"], ["usage", "--by", "model"], ["usage", "requests"]]) {
      const { code, stdout } = await run(...args, "--since", "2099-01-01")
      expect(stdout).toMatch(/^The period begins in the future, on 2099-01-01 00:00:00 \(UTC\)/)
      expect(code).toBe(0)
    }
  })

  test("latency shows percentiles and the rate of errors, as a table, JSON and CSV", async () => {
    const measures = { measured: 3, p50_ms: 800, p95_ms: 800, p99_ms: 800 }
    expect(await json("usage", "latency", "--by", "model", ...PERIOD)).toMatchObject({
      by: ["model"],
      tz: "UTC",
      rows: [{ model: "gpt-4o-mini", requests: 3, errors: 1, error_rate: 0.333333, ...measures }],
      total: { requests: 3, errors: 1, error_rate: 0.333333, ...measures },
      approximate: false,
    })
    expect((await run("usage", "latency", "--by", "key,day", "--sort", "p95", "--limit", "1", ...PERIOD)).stdout).toBe(
      [
        "2026-01-01 to 2026-01-31 (UTC)",
        "Key          Day         Requests  Errors     p50     p95     p99",
        "-----------------------------------------------------------------",
        "Development  2026-01-01         1   0.00%  800 ms  800 ms  800 ms",
        "-----------------------------------------------------------------",
        "Total                           3  33.33%  800 ms  800 ms  800 ms",
        "And 1 more row; the total counts them all.",
        "",
      ].join("\n"),
    )
    expect((await run("usage", "latency", "--csv", ...PERIOD)).stdout).toBe(
      "requests,errors,error_rate,measured,p50_ms,p95_ms,p99_ms\n3,1,0.333333,3,800,800,800\n",
    )
    const { code, stderr } = await run("usage", "latency", "--sort", "cost")
    expect([code, stderr]).toEqual([2, expect.stringContaining("expected requests, errors, error_rate, p50")])
  })

  test("errors shows what they said and how many requests they are, as text, JSON and CSV", async () => {
    const error = { status_code: 500, outcome: "complete", error: null, requests: 1 }
    expect(await json("usage", "errors", "--by", "day", ...PERIOD)).toMatchObject({
      rows: [{ day: "2026-01-02", ...error, last_at: "2026-01-02T10:00:30+00:00" }],
      rates: [
        { day: "2026-01-01", requests: 1, errors: 0, error_rate: 0 },
        { day: "2026-01-02", requests: 2, errors: 1, error_rate: 0.5 },
      ],
      total: { requests: 3, errors: 1, error_rate: 0.333333 },
    })
    const { stdout } = await run("usage", "errors", ...PERIOD)
    expect(stdout).toMatch(
      /^2026-01-01 to 2026-01-31 \(UTC\)\n1 of 3 requests \(33\.33%\) ended with an error\.\n\nStatus/,
    )
    expect(stdout).toMatch(/500 +complete +1 +2026-01-02 10:00:30 +\(no message\)/)
    expect((await run("usage", "errors", "--csv", ...PERIOD)).stdout).toBe(
      "status_code,outcome,error,requests,last_at\n500,complete,,1,2026-01-02T10:00:30+00:00\n",
    )
    expect((await run("usage", "errors", "--since", "2099-01-01")).stdout).toMatch(/^The period begins in the future/)
  })

  test("pending says that every job is billed, or which are not and what to fetch", async () => {
    const none = await run("usage", "pending")
    expect([none.code, none.stdout]).toEqual([0, ""])
    expect(none.stderr).toContain("Every job that was created through the gateway is billed.")
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    await client.query(`INSERT INTO llm_jobs (provider, id, kind, created_by, created_at, state, expected_items, billed_items, fetch_path)
      VALUES ('openai', 'batch_1', 'batch', gen_random_uuid(), now() - interval '3 hours', 'done', 3, 1, '/v1/files/f/content')`)
    await client.query(
      `INSERT INTO llm_job_items (provider, source, item, record) VALUES ('openai', 'file-x', 'a', '{}')`,
    )
    await client.end()
    const some = await run("usage", "pending")
    expect(some.stdout).toMatch(/batch_1 .*openai .*3 h .*done .*1 of 3 .*\/v1\/files\/f\/content/)
    expect(some.stdout).toContain("To bill a job, GET its path through the gateway")
    expect(some.stderr).toContain("1 result of a job that no gateway created was fetched and not billed")
  })

  test("runs lists the traces, and run shows the spans of one", async () => {
    expect(await json("usage", "runs", ...PERIOD)).toEqual([
      expect.objectContaining({ trace: "t-1", requests: 2, errors: 1, duration_ms: 30_000, total_cost: "0.5" }),
    ])
    const tree = await json("usage", "run", "t-1")
    expect(tree).toMatchObject({
      trace: "t-1",
      requests: 2,
      total_cost: "0.5",
      spans: [{ path: "planner", requests: 2 }],
    })
    expect(tree.spans[0]).toMatchObject({ steps: [{ status_code: 500 }], spans: [{ path: "planner/tool:search" }] })
    const none = await run("usage", "run", "nobody")
    expect([none.code, none.stderr]).toEqual([
      1,
      'error: no request has the trace or session "nobody": see usage runs\n',
    ])
    expect((await run("usage", "runs", "--since", "2026-02-01")).stdout).toContain("X-Majordomo-Trace-Id")
  })

  test("runs --csv has the fields of JSON", async () => {
    const [head, line] = (await run("usage", "runs", ...PERIOD, "--csv")).stdout.split("\n")
    expect(head).toBe(
      "trace,requests,errors,unpriced,estimated,duration_ms,input_tokens,output_tokens,total_cost,first,last,cached_tokens,cache_creation_tokens,subscription_requests,subscription_value",
    )
    expect(line).toMatch(/^t-1,2,1,0,0,30000,/)
  })
})

describe("metadata", () => {
  test("values that are counted together are explained in a note, in JSON too", async () => {
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    await client.query("BEGIN")
    await client.query("INSERT INTO llm_usage_metadata_names (name, every_key, summed) VALUES ('Crowd', true, true)")
    await client.query(
      `INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at, response_time_ms, status_code, raw_metadata, created_at)
       SELECT 'p', 'm', '/', 'POST', '2025-06-01Z', '2025-06-01Z', 1, 200, jsonb_build_object('Crowd', n::text), '2025-06-01Z' FROM generate_series(1, 10002) n`,
    )
    await client.query("COMMIT")
    const ask = ["usage", "--by", "Crowd", "--since", "2025-06-01", "--until", "2025-06-30"]
    const note = "(other): on days with more than 10,000 values of Crowd, those beyond are counted together"
    const report = await json(...ask)
    expect(report.notes).toEqual([note])
    expect(report.rows.find(({ Crowd }: { Crowd: string }) => Crowd === "(other)")).toMatchObject({ requests: 2 })
    expect((await run(...ask, "--limit", "5")).stderr).toBe(`note: ${note}\n`)
    await client.query("DELETE FROM llm_requests WHERE created_at < '2025-07-01'")
    await client.query("DELETE FROM llm_usage_metadata_names WHERE name = 'Crowd'")
    await client.query("DELETE FROM llm_usage_metadata WHERE name = 'Crowd'")
    await client.end()
  })

  test("list, activate and deactivate take the header's name too, and reports stay the same", async () => {
    const before = await json("usage", "--by", "User-Id", ...PERIOD)
    expect(await json("metadata", "activate", "x-majordomo-user-id")).toEqual({
      name: "User-Id",
      key: null,
      active: true,
      indexed: 2,
    })
    expect(await json("usage", "--by", "User-Id", ...PERIOD)).toEqual(before)
    const names = await json("metadata", "list")
    expect(names.find(({ name }: { name: string }) => name === "User-Id")).toMatchObject({
      requests: 2,
      distinct_values: 2,
      active: "all",
    })
    expect((await run("metadata", "list")).stdout).toMatch(/User-Id +2 +2 +yes/)
    expect((await run("metadata", "deactivate", "User-Id")).stdout).toContain("User-Id is no longer active")
    expect(await json("usage", "--by", "User-Id", ...PERIOD)).toEqual(before)
    const again = await run("metadata", "deactivate", "User-Id")
    expect([again.code, again.stderr]).toEqual([
      1,
      'error: the metadata name "User-Id" is not active: see metadata list\n',
    ])
  })
})

describe("prune", () => {
  test("says what it would delete, deletes it, and the totals stay", async () => {
    const before = await json("usage", "--by", "model", ...PERIOD)
    expect(await json("prune", "--older-than", "1d", "--dry-run")).toMatchObject({ requests: 3, dry_run: true })
    expect((await run("prune", "--older-than", "1d")).stdout).toMatch(
      /^3 requests from before .* were deleted; the totals of reports stay/,
    )
    expect((await run("prune", "--older-than", "1d")).stdout).toMatch(/^Nothing to do/)
    expect(await json("usage", "--by", "model", ...PERIOD)).toEqual(before)
    const { stdout, stderr } = await run("usage", "--by", "status", ...PERIOD)
    expect(stdout).toContain("No request matches")
    expect(stderr).toMatch(/^note: requests before .* were pruned/)
    expect((await json("usage", "--by", "status", ...PERIOD)).notes).toEqual([
      expect.stringMatching(/^requests before .* were pruned/),
    ])
  })

  test("leaves bodies in S3, and says what deletes them", async () => {
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    await insertRows(client, [{ at: "2025-01-01T10:00:00Z" }, { at: "2025-01-02T10:00:00Z" }])
    await client.query("UPDATE llm_requests SET s3_key = 'x' WHERE created_at < '2025-01-02'")
    await client.end()
    const rest = "The bodies of 1 request are in S3 and stay there: delete old ones by a lifecycle rule of the bucket\n"
    expect((await run("prune", "--older-than", "1d", "--bodies-only")).stdout).toMatch(
      new RegExp(`^Nothing to do: no body is from before .*\\n${rest}$`),
    )
    expect(await json("prune", "--older-than", "1d", "--dry-run")).toMatchObject({ requests: 2, bodies_left_in_s3: 1 })
    expect((await run("prune", "--older-than", "1d")).stdout).toContain(`2 requests from before`)
    expect(await json("prune", "--older-than", "1d")).toMatchObject({ requests: 0, bodies_left_in_s3: 0 })
  })

  test.each(["90", "0d", "soon", "-1d"])("rejects --older-than %s", async (age) => {
    const { code, stderr } = await run("prune", `--older-than=${age}`)
    expect(stderr).toContain("--older-than: expected an age such as 90d")
    expect(code).toBe(2)
  })
})

/** Waits until another session of the database has looked for new rows. */
async function waitForPoll(client: pg.Client): Promise<void> {
  const text = `SELECT FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()
    AND query LIKE '%<> ALL%'`
  while ((await client.query(text)).rowCount === 0);
}

describe("usage tail", () => {
  /** Runs tail and collects its lines from stdout and stderr. */
  async function follow(of: Installation, settings: Record<string, string>, limit = "1") {
    const child = spawn(process.execPath, [BIN, "usage", "tail", "--limit", limit, "--json"], {
      cwd: of.home,
      env: await of.environment(settings),
    })
    const lines: string[] = []
    const arrived = new EventTarget()
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on("line", (line) => {
        lines.push(line)
        arrived.dispatchEvent(new Event("line"))
      })
    }
    const exited = new Promise<number | null>((resolve) => child.once("close", resolve))
    const waitFor = async (text: string) => {
      while (!lines.some((line) => line.includes(text))) {
        await Promise.race([
          new Promise((resolve) => arrived.addEventListener("line", resolve, { once: true })),
          exited.then((code) => Promise.reject(new Error(`tail ended with ${code}: ${lines.join(" ")}`))),
        ])
      }
    }
    const stop = () => {
      child.kill("SIGINT")
      return exited
    }
    return { lines, waitFor, stop }
  }

  test("shows each new request once, and Ctrl-C ends it with 0", async () => {
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    const now = new Date().toISOString()
    await insertRows(client, [{ model: "first", at: now }])
    const tail = await follow(home, {})
    await tail.waitFor("first")
    await insertRows(client, [
      { model: "second", at: now },
      { model: "late", at: new Date(Date.now() - 5000).toISOString() },
    ])
    await tail.waitFor("second")
    await tail.waitFor("late")
    await client.end()
    expect(await tail.stop()).toBe(0)
    expect(tail.lines.map((line) => JSON.parse(line).model).toSorted()).toEqual(["first", "late", "second"])
  })

  test.each(["0", "1", "3"])(
    "--limit %s begins with that many rows, and prints each later row once, in order",
    async (limit) => {
      const own = await createTestDatabase()
      const client = new pg.Client({ connectionString: own.url })
      await client.connect()
      const start = Date.now() - 10_000
      const rows = (name: string, count: number, from: number) =>
        Array.from({ length: count }, (_, at) => ({ model: `${name}-${at}`, at: new Date(from + at).toISOString() }))
      // All of them are so new that a later poll looks at them again.
      await insertRows(client, rows("old", 20, start))
      const tail = await follow(home, { DATABASE_URL: own.url }, limit)
      if (limit === "0") await waitForPoll(client)
      else await tail.waitFor("old-19")
      // More than one poll returns.
      await insertRows(client, rows("new", 1_200, start + 5_000))
      await tail.waitFor("new-1199")
      expect(await tail.stop()).toBe(0)
      await client.end()
      const shown = tail.lines.map((line) => JSON.parse(line).model as string)
      const first = rows("old", 20, 0).slice(20 - Number(limit))
      expect(shown).toEqual([...first, ...rows("new", 1_200, 0)].map(({ model }) => model))
    },
  )

  test("on the embedded database joins a running gateway, which can stop and start again meanwhile", async () => {
    const alone = createInstallation({ TZ: "UTC", MAJORDOMO_PRICING_REMOTE_URL: "" })
    try {
      const refused = await alone.run(["usage", "tail"])
      expect(refused.stderr).toMatch(
        /^error: no gateway runs on the embedded database in .*: start one in another terminal with majordomo-gateway serve\n$/,
      )
      expect(refused.code).toBe(1)

      const gateway = await alone.serve()
      const tail = await follow(alone, {})
      const write = async (model: string) => {
        const client = new pg.Client({ host: join(alone.home, ".majordomo"), user: "postgres", database: "postgres" })
        await client.connect()
        await insertRows(client, [{ model }])
        await client.end()
      }
      await write("one")
      await tail.waitFor("one")
      await gateway.stop()
      await tail.waitFor("gone")
      const second = await alone.serve()
      await tail.waitFor("answers again")
      await write("two")
      await tail.waitFor("two")
      expect(await tail.stop()).toBe(0)
      await second.stop()
    } finally {
      await alone.remove()
    }
  })
})
