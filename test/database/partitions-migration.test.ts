import { expect, test } from "vitest"
import { migrate } from "../../src/database/schema.ts"
import { describeDatabases } from "../support/databases.ts"
import { countByPartition, insertOrdered, readAllTables } from "./_partitions.ts"
import { describeSchema, makeOlderScript } from "./_schemas.ts"
import { expectBalance, insertRequests } from "./_verify.ts"

/** Requests whose ids are not in the order of time, as other programs and the Go gateway make them. */
const RANDOM = `
  INSERT INTO llm_requests (id, provider, model, request_path, request_method, requested_at, responded_at, response_time_ms, status_code, created_at)
  SELECT md5(n::text)::uuid, 'p', 'm', '/', 'POST', at, at, 1, 200, at
  FROM (SELECT n, '2026-02-01T00:00:00Z'::timestamptz + make_interval(mins => n) AS at FROM generate_series(1, 400) n) rows;
  INSERT INTO llm_requests (id, provider, model, request_path, request_method, requested_at, responded_at, response_time_ms, status_code)
  VALUES ('02000000-0000-4000-8000-000000000000', 'p', 'm', '/', 'POST', now(), now(), 1, 200)`

const REPRICINGS = `INSERT INTO llm_request_repricings (request_id, reason, old_cost_status, new_cost_status)
  SELECT id, 'test', 'exact', 'exact' FROM llm_requests ORDER BY id LIMIT 20`

/** The functions of this migration, which the older database does not have yet. */
const FIRST_ID = `CREATE FUNCTION majordomo_first_id(at timestamptz) RETURNS uuid LANGUAGE sql STABLE AS $$
  SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid $$`

describeDatabases("llm_requests becomes a table of partitions", (open, kind) => {
  test("with all rows and totals: by time, by random ids, gaps, bodies, repricings", async () => {
    const db = await open({ empty: true })
    await db.query(makeOlderScript(26))
    await db.query("INSERT INTO llm_usage_metadata_names (name, every_key, summed) VALUES ('User-Id', true, true)")
    await db.query(FIRST_ID)
    await insertOrdered(db, "2026-01-01T00:00:00Z", 1, 600)
    await db.query("DROP FUNCTION majordomo_first_id")
    await db.query(RANDOM)
    await db.query(REPRICINGS)
    const before = await readAllTables(db)
    const { rows } = await db.query("SELECT 'llm_requests'::regclass::oid AS oid")

    expect((await migrate(db, undefined, makeOlderScript(27))).did).toBe("updated")
    expect(await readAllTables(db)).toEqual(before)
    await migrate(db)
    expect(await describeSchema(db)).toEqual(await describeSchema(await open()))
    // The table itself is the first partition, so nothing was copied.
    expect((await db.query("SELECT 'llm_requests_first'::regclass::oid AS oid")).rows).toEqual(rows)
    const counts = await countByPartition(db)
    expect(counts).toMatchObject({
      llm_requests_default: expect.any(Number),
      llm_requests_unordered: expect.any(Number),
    })
    expect(counts["llm_requests_first"]).toBeGreaterThanOrEqual(600)
    expect(counts["llm_requests_unordered"]).toBeGreaterThan(380)
    await expectBalance(db)
    // Rows from before and after are counted by the same triggers.
    await insertRequests(db, "2026-03-01T00:00:00Z", 1, 60)
    await db.query("UPDATE llm_requests SET total_cost = 1 WHERE id = '02000000-0000-4000-8000-000000000000'")
    await expectBalance(db)
    expect((await migrate(db)).did).toBe("nothing")
  })

  test("the table stays the partition of most of its rows, if their ids are random", async () => {
    const db = await open({ empty: true })
    await db.query(makeOlderScript(26))
    await db.query(RANDOM)
    const before = await readAllTables(db)
    const { rows } = await db.query("SELECT 'llm_requests'::regclass::oid AS oid")
    await migrate(db, undefined, makeOlderScript(27))
    expect((await db.query("SELECT 'llm_requests_unordered'::regclass::oid AS oid")).rows).toEqual(rows)
    expect(await readAllTables(db)).toEqual(before)
    await migrate(db)
    expect(await describeSchema(db)).toEqual(await describeSchema(await open()))
    await expectBalance(db)
  })

  if (kind === "embedded") return

  test("views, grants, triggers, indexes, foreign keys and comments of others go with the table", async () => {
    const db = await open({ empty: true })
    await db.query(makeOlderScript(26))
    const role = `p27_${crypto.randomUUID().slice(0, 8)}`
    await db.query(`
      CREATE ROLE ${role};
      CREATE VIEW spending WITH (security_barrier) AS SELECT model, total_cost FROM llm_requests;
      CREATE VIEW models AS SELECT DISTINCT model FROM spending;
      GRANT SELECT ON llm_requests TO ${role} WITH GRANT OPTION;
      GRANT UPDATE (error_message) ON llm_requests TO PUBLIC;
      COMMENT ON TABLE llm_requests IS 'it''s ours';
      CREATE INDEX by_path ON llm_requests (request_path) WHERE status_code = 200;
      CREATE TABLE notes (request_id uuid REFERENCES llm_requests (id) ON DELETE CASCADE, note text);
      CREATE TABLE seen (id uuid);
      CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen VALUES (NEW.id); RETURN NULL; END';
      CREATE TRIGGER see AFTER INSERT ON llm_requests FOR EACH ROW EXECUTE FUNCTION see();`)
    await insertRequests(db, "2026-03-01T00:00:00Z", 1, 10)
    await db.query("INSERT INTO notes SELECT id, 'x' FROM llm_requests")
    await migrate(db)
    await insertRequests(db, "2026-03-01T00:00:00Z", 11, 20)
    await db.query("INSERT INTO notes SELECT id, 'y' FROM llm_requests")
    const { rows } =
      await db.query(`SELECT (SELECT count(*)::int FROM spending) AS view, (SELECT count(*)::int FROM models) AS views,
      (SELECT reloptions FROM pg_class WHERE relname = 'spending') AS options, (SELECT count(*)::int FROM seen) AS seen,
      obj_description('llm_requests'::regclass) AS comment, has_table_privilege('${role}', 'llm_requests', 'SELECT WITH GRANT OPTION') AS granted,
      has_column_privilege('${role}', 'llm_requests', 'error_message', 'UPDATE') AS column,
      (SELECT count(*)::int FROM pg_index WHERE indexrelid::regclass::text ~ 'path' AND indisvalid) AS indexes`)
    // An index for the table and for each of its six partitions.
    const expected = { view: 20, views: 2, options: ["security_barrier=true"], seen: 20, comment: "it's ours" }
    expect(rows).toEqual([{ ...expected, granted: true, column: true, indexes: 7 }])
    await db.query("DELETE FROM llm_requests")
    expect((await db.query("SELECT FROM notes")).rowCount).toBe(0)
    await db.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
  })

  test.each([
    [
      "a materialized view",
      "CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM llm_requests",
      "the materialized view totals",
    ],
    ["a policy", "CREATE POLICY own ON llm_requests USING (true)", "the policy own"],
    ["a publication", "CREATE PUBLICATION changes FOR TABLE llm_requests", "the publication changes"],
  ])("%s ends the migration, which changes nothing and names it", async (_, sql, name) => {
    const db = await open({ empty: true })
    await db.query(makeOlderScript(26))
    await db.query(sql)
    const before = await describeSchema(db)
    await expect(migrate(db)).rejects.toThrow(
      `llm_requests cannot be partitioned because of ${name}: drop what depends on it, migrate, and create it again`,
    )
    expect(await describeSchema(db)).toEqual(before)
  })
})
