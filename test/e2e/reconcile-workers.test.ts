import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import pg from "pg"
import { expect, test } from "vitest"
import { ADMIN_KEYS, startBillingProvider } from "../support/billing-provider.ts"
import { createInstallation } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { HANG_MS, until } from "../support/until.ts"
import { insertRows } from "../support/usage-rows.ts"

/** The gateway looks every ten minutes whether a comparison is due. Here it looks at once, in each of its processes. */
const IMPATIENT = `const { setTimeout: wait } = globalThis
globalThis.setTimeout = (run, ms, ...rest) => wait(run, ms >= 300_000 && ms <= 900_000 ? 200 : ms, ...rest)
`
const DAY_MS = 86_400_000

test(
  "with two workers, the bill of a day is compared once, and not by each process",
  async () => {
    const dir = mkdtempSync(join(tmpdir(), "majordomo-impatient-"))
    const preload = join(dir, "impatient.mjs")
    writeFileSync(preload, IMPATIENT)
    const provider = await startBillingProvider({
      now: Date.now,
      rates: { "gpt-4o": { input: "2.5", cache_read: "1.25", output: "10" } },
      keys: { "sk-app": { id: "key_app", project: "proj_app" } },
    })
    const { url } = await createTestDatabase()
    const home = createInstallation({
      DATABASE_URL: url,
      NODE_OPTIONS: `--import ${pathToFileURL(preload)}`,
      MAJORDOMO_SERVER_WORKERS: "2",
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: provider.origin,
      MAJORDOMO_PRICING_REMOTE_URL: "",
      MAJORDOMO_RECONCILE_OPENAI_BASE_URL: provider.origin,
      MAJORDOMO_RECONCILE_OPENAI_ADMIN_KEY: ADMIN_KEYS.openai,
    })
    const client = new pg.Client({ connectionString: url })
    try {
      expect((await home.run(["migrate"])).code).toBe(0)
      await client.connect()
      await insertRows(client, [{ model: "gpt-4o", cost: "3", at: new Date(Date.now() - 5 * DAY_MS).toISOString() }])
      const gateway = await home.serve()
      await until(async () => {
        const { rows } = await client.query(
          "SELECT provider FROM majordomo_reconcile_runs WHERE finished_at IS NOT NULL",
        )
        expect(rows).toEqual([{ provider: "openai" }])
      })
      const { rows } = await client.query("SELECT day, count(*)::int AS count FROM llm_reconciliations GROUP BY 1")
      expect(rows.length).toBeGreaterThan(0)
      expect(rows.every(({ count }) => count === 1)).toBe(true)
      const { stderr } = await gateway.stop()
      expect(stderr.match(/outside the gateway, in prices/g)).toHaveLength(1)
      expect(provider.adminRequests.filter(({ path }) => path.endsWith("/costs"))).toHaveLength(1)
    } finally {
      await client.end()
      await home.remove()
      await provider.close()
      rmSync(dir, { recursive: true, force: true })
    }
  },
  2 * HANG_MS,
)
