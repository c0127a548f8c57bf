import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { callLocally } from "../../src/api/call.ts"
import { keys } from "../../src/api/routes/keys.ts"
import { activateMetadata } from "../../src/operations/metadata/activate.ts"
import { deactivateMetadata } from "../../src/operations/metadata/deactivate.ts"
import { pruneRequests } from "../../src/operations/prune.ts"
import { type AdminApi, startAdminApi } from "./_api.ts"

let admin: AdminApi
beforeAll(async () => {
  admin = await startAdminApi()
})
afterAll(() => admin.close())

const readActions = async () =>
  (await admin.database.query<{ action: string }>("SELECT action FROM llm_audit ORDER BY at, id")).rows.map(
    ({ action }) => action,
  )

describe("the audit log", () => {
  test("has one row for each change, with what it was before and after and without secrets", async () => {
    const { caller } = admin
    const { id, key } = await callLocally(keys.create, caller, { name: "Search", discount: "10" })
    await callLocally(keys.update, caller, { id, name: "Search 2" })
    const rotated = await callLocally(keys.rotate, caller, { id, grace: "1h" })
    await callLocally(keys.revoke, caller, { id })
    await callLocally(keys.revoke, caller, { id })
    expect(rotated).toMatchObject({ id, name: "Search 2", discount_percent: "10", status: "active" })
    const { rows } = await admin.database.query("SELECT action, target, before, after FROM llm_audit ORDER BY at, id")
    expect(rows).toMatchObject([
      { action: "keys.create", target: id, before: null, after: { name: "Search" } },
      { action: "keys.update", target: id, before: { name: "Search" }, after: { name: "Search 2" } },
      {
        action: "keys.rotate",
        target: id,
        before: { id, previous_secret_until: null },
        after: { id, previous_secret_until: rotated.previous_secret_until },
      },
      { action: "keys.revoke", target: id, before: { status: "active" }, after: { status: "revoked" } },
    ])
    for (const secret of [key, rotated.key]) expect(JSON.stringify(rows)).not.toContain(secret)
    await expect(callLocally(keys.rotate, caller, { id })).rejects.toThrow("is revoked, so it cannot be rotated")
  })

  test("has the activation of metadata names, and prunes that deleted something", async () => {
    const context = { ...admin.caller, database: admin.database }
    const from = (await readActions()).length
    await activateMetadata(context, { name: "Team", key: undefined })
    await deactivateMetadata(context, { name: "Team", key: undefined })
    await expect(deactivateMetadata(context, { name: "Team", key: undefined })).rejects.toThrow("is not active")
    const prune = { olderThanMs: 86_400_000, bodiesOnly: false, dryRun: false }
    await pruneRequests(context, prune)
    await admin.database.query(`INSERT INTO llm_requests (id, provider, model, request_path, request_method, requested_at,
      responded_at, created_at, response_time_ms, status_code) SELECT gen_random_uuid(), 'openai', 'm', '/', 'POST', at, at, at, 1, 200
      FROM (SELECT now() - interval '9 days' AS at) AS t`)
    await pruneRequests(context, { ...prune, dryRun: true })
    await pruneRequests(context, prune)
    expect((await readActions()).slice(from)).toEqual(["metadata.activate", "metadata.deactivate", "prune"])
  })

  test("has the changes of a key whose name could not be given today, and which may keep it", async () => {
    const name = "old\u202ename"
    const { id } = await callLocally(keys.create, admin.caller, { name: "Old" })
    await admin.database.query({ text: "UPDATE api_keys SET name = $2 WHERE id = $1", values: [id, name] })
    const changed = await callLocally(keys.update, admin.caller, { id, name, description: "from before" })
    expect(changed).toMatchObject({ name, description: "from before" })
    await expect(callLocally(keys.update, admin.caller, { id, name: `${name}!` })).rejects.toThrow("U+202E")
  })

  test("is not written when the change fails", async () => {
    const from = (await readActions()).length
    await expect(callLocally(keys.update, admin.caller, { id: crypto.randomUUID(), name: "x" })).rejects.toThrow()
    await expect(callLocally(keys.create, admin.caller, { name: "x", discount: "200" })).rejects.toThrow()
    expect((await readActions()).length).toBe(from)
  })

  test("cannot be changed or emptied", async () => {
    for (const statement of ["UPDATE llm_audit SET action = 'x'", "DELETE FROM llm_audit", "TRUNCATE llm_audit"]) {
      await expect(admin.database.query(statement)).rejects.toThrow("llm_audit only takes new rows")
    }
  })

  test("is listed page by page, the newest first", async () => {
    const { token } = await admin.createToken("viewer")
    const all = (await readActions()).reverse()
    const seen: string[] = []
    for (let cursor: string | null = null, pages = 0; pages === 0 || cursor !== null; pages++) {
      const response = await admin.ask(`/audit?limit=2${cursor ? `&cursor=${cursor}` : ""}`, token)
      const page = (await response.json()) as { items: { action: string }[]; next: string | null }
      seen.push(...page.items.map(({ action }) => action))
      cursor = page.next
    }
    expect(seen).toEqual(all)
    expect(await (await admin.ask("/audit?since=2020-01-01&limit=1000", token)).json()).toMatchObject({ next: null })
  })
})
