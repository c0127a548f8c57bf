import { afterAll, beforeAll, expect, test } from "vitest"
import { openDatabase } from "../../src/database/open.ts"
import { postgresAt } from "../support/databases.ts"
import { createInstallation, type Installation } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"

let url: string
let installation: Installation
beforeAll(async () => {
  url = (await createTestDatabase()).url
  installation = createInstallation({ DATABASE_URL: url }, { inProcess: true })
})
afterAll(() => installation?.remove())

async function createKey(): Promise<string> {
  return ((await installation.runJson(["keys", "create", "--name", "k"])) as { id: string }).id
}

test("keys revoke exits with 0 if no gateway is silent, and with 1 if one may still accept the key, which it names", async () => {
  const calm = await installation.run(["keys", "revoke", await createKey()])
  expect(calm).toMatchObject({ code: 0, stdout: expect.stringContaining("every gateway rejects it from now on") })

  const db = await openDatabase(postgresAt(url), { role: "serve", log: () => {} })
  await db.query(`INSERT INTO majordomo_gateways (id, seen_at, name, slot, offline_s)
    VALUES (gen_random_uuid(), now() - interval '10 min', 'host-a, process 7', 's', 3600)`)
  await db.close()
  const id = await createKey()
  const { code, stdout, stderr } = await installation.run(["keys", "revoke", id])
  expect(code).toBe(1)
  expect(stdout).toMatch(/ is revoked\.\nNo gateway has acknowledged it\./)
  expect(stdout).toMatch(/ {2}host-a, process 7: last seen .*, may accept the key until /)
  expect(stderr).toMatch(/^error: 1 gateway did not answer and may still accept the key: .*run this again$/m)

  const asJson = await installation.run(["keys", "revoke", id, "--json"])
  expect(asJson.code).toBe(1)
  expect(JSON.parse(asJson.stdout)).toMatchObject({
    id,
    status: "revoked",
    gateways: { acknowledged: [], silent: [{ name: "host-a, process 7", accepts_until: expect.any(String) }] },
  })
})
