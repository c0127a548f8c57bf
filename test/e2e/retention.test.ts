import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { ask } from "../chaos/_ask.ts"
import { createInstallation } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"

const OLD_ROWS = 30

/** Lets the timers of a minute, of which the first run of the retention is one, end after a second. */
const HASTE = `const { setTimeout: real } = globalThis
globalThis.setTimeout = Object.assign((work, ms, ...args) => real(work, ms === 60000 ? 1000 : ms, ...args), real)
`

/** Records each statement that deletes requests, also one that finds none. */
const WATCH = `CREATE TABLE deletions (pid int, gone int);
  CREATE FUNCTION note_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO deletions SELECT pg_backend_pid(), count(*) FROM gone; RETURN NULL; END $$;
  CREATE TRIGGER note_deletion AFTER DELETE ON llm_requests REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION note_deletion()`

const OLD = `INSERT INTO llm_requests (id, provider, model, request_path, request_method, requested_at, responded_at, created_at,
    response_time_ms, status_code, cost_status)
  SELECT gen_random_uuid(), 'openai', 'm', '/', 'POST', at, at, at, 1, 200, 'unpriced'
  FROM (SELECT now() - interval '90 days' AS at FROM generate_series(1, ${OLD_ROWS})) AS old`

it("[L22] of a primary process with two workers, only one process runs the retention, and it runs once", async () => {
  const { url } = await createTestDatabase()
  const home = createInstallation({
    DATABASE_URL: url,
    MAJORDOMO_PRICING_REMOTE_URL: "",
    MAJORDOMO_SERVER_WORKERS: "2",
    MAJORDOMO_LOGGING_RETENTION: "30d",
  })
  try {
    const haste = join(home.home, "haste.mjs")
    writeFileSync(haste, HASTE)
    await ask(url, OLD)
    await ask(url, WATCH)
    const settings = { NODE_OPTIONS: `--import ${haste}` }
    const gateway = await home.serve({ settings })
    await expect.poll(() => gateway.stderr).toContain(`retention: deleted ${OLD_ROWS} requests`)
    // The stop waits for a retention that runs, and each worker would have begun its own in the same second.
    const { code, stderr } = await gateway.stop()
    expect(code).toBe(0)
    expect(stderr.match(/retention:/g)).toHaveLength(1)
    const runs = await ask<{ pid: number; gone: number }>(url, "SELECT * FROM deletions ORDER BY gone DESC")
    // One run ends with a statement that finds no further row.
    expect(runs.map(({ gone }) => gone)).toEqual([OLD_ROWS, 0])
  } finally {
    await home.remove()
  }
})
