import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import pg from "pg"
import { describe, expect, onTestFinished, test } from "vitest"
import { createTestDatabase } from "../support/postgres.ts"
import { describeSchema } from "./_schemas.ts"

const SCHEMA_FILE = fileURLToPath(new URL("../../schema.sql", import.meta.url))
const SCHEMA = readFileSync(SCHEMA_FILE, "utf8")
const GO_DATABASE = readFileSync(new URL("../fixtures/go-schema.sql", import.meta.url), "utf8")
const DOCUMENTED = [
  "SELECT model, input_tokens, output_tokens, total_cost FROM llm_requests ORDER BY created_at DESC LIMIT 1;",
  "SELECT DATE(created_at) AS date, COUNT(*), SUM(total_cost) FROM llm_requests GROUP BY DATE(created_at) ORDER BY date DESC LIMIT 30;",
  "SELECT ak.name, COUNT(*), SUM(lr.total_cost) FROM llm_requests lr JOIN api_keys ak ON lr.majordomo_api_key_id = ak.id GROUP BY ak.id, ak.name;",
  "SELECT raw_metadata->>'User-Id' AS user_id, SUM(total_cost) FROM llm_requests WHERE raw_metadata->>'User-Id' IS NOT NULL GROUP BY 1;",
  "SELECT s3_key FROM llm_requests WHERE id = 'b0000000-0000-4000-8000-000000000001';",
]

async function openEmpty(before = ""): Promise<pg.Client> {
  const database = await createTestDatabase({ empty: true })
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  onTestFinished(() => client.end())
  if (before !== "") await client.query(before)
  return client
}

describe("schema.sql", () => {
  test("creates a database in which the documented queries run", async () => {
    const client = await openEmpty(SCHEMA)
    for (const sql of DOCUMENTED) expect((await client.query(sql)).rows).toEqual([])
  })

  test("can be applied again: nothing changes, and it takes no lock on a table that is written", async () => {
    const client = await openEmpty(SCHEMA)
    const once = await describeSchema(client)
    await client.query("BEGIN")
    await client.query(SCHEMA.replace(/^(BEGIN|COMMIT);$/gm, ""))
    const { rows } = await client.query(`
      SELECT relation::regclass::text, mode FROM pg_locks
      WHERE pid = pg_backend_pid() AND locktype = 'relation' AND mode NOT IN ('AccessShareLock')
        AND relation::regclass::text ~ '^(api_keys|llm_requests)'`)
    expect(rows).toEqual([])
    await client.query("COMMIT")
    expect(await describeSchema(client)).toEqual(once)
  })

  test("works with psql", async ({ skip }) => {
    if (!existsSync("/usr/bin/psql")) skip("psql is not installed")
    const database = await createTestDatabase({ empty: true })
    const args = ["-v", "ON_ERROR_STOP=1", "-f", SCHEMA_FILE, database.url]
    const twice = [execFileSync("psql", args, { encoding: "utf8" }), execFileSync("psql", args, { encoding: "utf8" })]
    expect(twice[1]).toMatch(/COMMIT\n$/)
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    onTestFinished(() => client.end())
    expect(await describeSchema(client)).toEqual(await describeSchema(await openEmpty(SCHEMA)))
  })
})

test("[L10] schema.sql by hand rejects the tables of another program in one line, and changes nothing", async ({
  skip,
}) => {
  if (!existsSync("/usr/bin/psql")) skip("psql is not installed")
  for (const [tables, names] of [
    ["CREATE TABLE api_keys (id serial, user_id int, key text)", "api_keys"],
    ["CREATE TABLE llm_requests (id serial, prompt text); CREATE TABLE orders (id int)", "llm_requests, orders"],
    [
      "CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE c (id int); CREATE TABLE d (id int)",
      "a, b, c and 1 more",
    ],
  ] as const) {
    const database = await createTestDatabase({ empty: true })
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    onTestFinished(() => client.end())
    await client.query(tables)
    const before = await describeSchema(client)
    for (const stop of ["0", "1"]) {
      const args = ["-q", "-v", `ON_ERROR_STOP=${stop}`, "-v", "SHOW_CONTEXT=never", "-f", SCHEMA_FILE, database.url]
      const { stderr, status } = spawnSync("psql", args, { encoding: "utf8" })
      expect(stderr.trimEnd().split("\n")).toEqual([
        expect.stringContaining(
          `contains tables of another program (${names}), so nothing was changed: use a database`,
        ),
      ])
      expect(status).toBe(stop === "1" ? 3 : 0)
      expect(await describeSchema(client)).toEqual(before)
    }
  }
})

describe("schema.sql on a database of the Go gateway", () => {
  test("keeps every row and its cost, and records how certain the cost is", async () => {
    const client = await openEmpty(GO_DATABASE + SCHEMA)
    const { rows } = await client.query(
      `SELECT right(id::text, 1) AS n, total_cost, input_tokens, cached_tokens, cost_status, usage_source, outcome,
              s3_key IS NOT NULL AS body, created_at = responded_at AS created FROM llm_requests ORDER BY id`,
    )
    const same = { outcome: "complete", created: true }
    expect(rows).toEqual([
      {
        ...same,
        n: "1",
        total_cost: "0.000435000000",
        input_tokens: "1000",
        cached_tokens: "200",
        cost_status: "estimated",
        usage_source: "reported",
        body: true,
      },
      {
        ...same,
        n: "2",
        total_cost: "0.000000000000",
        input_tokens: "10",
        cached_tokens: "0",
        cost_status: "unpriced",
        usage_source: "reported",
        body: false,
      },
      {
        ...same,
        n: "3",
        total_cost: "0.000000000000",
        input_tokens: "0",
        cached_tokens: "0",
        cost_status: "free",
        usage_source: "none",
        body: false,
      },
      {
        ...same,
        n: "4",
        total_cost: "0.000000000000",
        input_tokens: "0",
        cached_tokens: "0",
        cost_status: "unpriced",
        usage_source: "none",
        body: false,
      },
    ])
    expect(
      (await client.query("SELECT count(*) FROM claude_request_details JOIN llm_requests r ON r.id = llm_request_id"))
        .rows,
    ).toEqual([{ count: "1" }])
    expect(
      (await client.query("SELECT key_name, is_active, hll_state FROM llm_requests_metadata_keys ORDER BY 1")).rows,
    ).toEqual([
      { key_name: "Feature", is_active: false, hll_state: null },
      { key_name: "User-Id", is_active: true, hll_state: Buffer.from([1, 2]) },
    ])
  })

  test("the documented queries run", async () => {
    const client = await openEmpty(GO_DATABASE + SCHEMA)
    const answers = []
    for (const sql of DOCUMENTED) answers.push((await client.query({ text: sql, rowMode: "array" })).rows.length)
    expect(answers).toEqual([1, 2, 1, 1, 1])
  })

  test("stores values that did not fit into the old columns", async () => {
    const client = await openEmpty(GO_DATABASE + SCHEMA)
    const insert = `INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at,
      response_time_ms, status_code, input_tokens, total_cost) VALUES ('p', $1, '/', 'POST', now(), now(), 1, 200, $2, $3) RETURNING total_cost`
    const { rows } = await client.query(insert, ["m".repeat(300), "9007199254740991", "99999999.000000000001"])
    expect(rows).toEqual([{ total_cost: "99999999.000000000001" }])
  })

  test("a repetition changes nothing", async () => {
    const client = await openEmpty(GO_DATABASE + SCHEMA)
    const once = await describeSchema(client)
    const before = (await client.query("SELECT pg_relation_filenode('llm_requests')")).rows
    await client.query(SCHEMA)
    expect(await describeSchema(client)).toEqual(once)
    expect((await client.query("SELECT pg_relation_filenode('llm_requests')")).rows).toEqual(before)
  })

  test("views of its tables, and views of those views, keep their owner, grants, options and comment", async () => {
    const client = await openEmpty(`${GO_DATABASE}
      CREATE VIEW spending AS SELECT provider, model, total_cost, body_s3_key FROM llm_requests;
      CREATE VIEW "Spending by model" WITH (security_barrier = true) AS SELECT model, sum(total_cost) AS usd FROM spending GROUP BY model;
      COMMENT ON VIEW spending IS 'what''s spent';
      GRANT SELECT ON spending TO PUBLIC, pg_monitor;
      CREATE VIEW "Keys and names" AS SELECT name, key_hash, key_name FROM api_keys JOIN llm_requests_metadata_keys ON id = majordomo_api_key_id;`)
    await client.query(SCHEMA)
    const { rows } = await client.query(`SELECT usd FROM "Spending by model" WHERE model = 'gpt-4o-mini'`)
    expect(rows).toEqual([{ usd: "0.000435000000" }])
    expect((await client.query("SELECT body_s3_key FROM spending WHERE body_s3_key IS NOT NULL")).rowCount).toBe(1)
    expect((await client.query('SELECT name, key_name FROM "Keys and names" ORDER BY 2')).rows).toEqual([
      { name: "Development", key_name: "Feature" },
      { name: "Development", key_name: "User-Id" },
    ])
    const facts = await client.query(
      `SELECT relacl::text, reloptions, obj_description(oid) AS remark FROM pg_class WHERE relname ILIKE 'spending%' ORDER BY relname DESC`,
    )
    expect(facts.rows).toEqual([
      {
        relacl: expect.stringMatching(/=r\/postgres.*pg_monitor=r\/postgres/),
        reloptions: null,
        remark: "what's spent",
      },
      { relacl: null, reloptions: ["security_barrier=true"], remark: null },
    ])
  })
})

describe("a change of an API key sends a notification on majordomo_keys", () => {
  test.each([
    ["a new key", "INSERT INTO api_keys (key_hash, name) VALUES ('new', 'n')", ["new"]],
    ["a revocation by hand", "UPDATE api_keys SET is_active = false WHERE key_hash = 'old'", ["old"]],
    ["only a date of revocation", "UPDATE api_keys SET revoked_at = now() WHERE key_hash = 'old'", ["old"]],
    ["another hash", "UPDATE api_keys SET key_hash = 'other' WHERE key_hash = 'old'", ["old", "other"]],
    ["a deletion", "DELETE FROM api_keys", ["old"]],
    ["a TRUNCATE", "TRUNCATE api_keys CASCADE", ["*"]],
    [
      "counting requests sends nothing",
      "UPDATE api_keys SET request_count = request_count + 1, last_used_at = now()",
      [],
    ],
  ])("%s", async (_, change, expected) => {
    const client = await openEmpty(SCHEMA)
    await client.query(
      "INSERT INTO api_keys (key_hash, name) VALUES ('old', 'n'); LISTEN majordomo_keys; LISTEN the_end",
    )
    const received: (string | undefined)[] = []
    const end = new Promise<void>((resolve) => {
      client.on("notification", ({ channel, payload }) => (channel === "the_end" ? resolve() : received.push(payload)))
    })
    await client.query(change)
    await client.query("NOTIFY the_end")
    await end
    expect(received).toEqual(expected)
  })
})
