import { expect, test } from "vitest"
import type { Notification } from "../../src/core/notification.ts"
import type { Database } from "../../src/database/_database.ts"
import {
  claimDelivery,
  countWaiting,
  failAbandoned,
  listDueChannels,
  listFailed,
  readChannelStates,
  settleDelivery,
} from "../../src/database/deliveries.ts"
import { findNewKeys, findNewlyUnpriced } from "../../src/database/first-uses.ts"
import { claimRun, finishRun } from "../../src/database/notification-runs.ts"
import { pruneNotifications, readNotifications, storeNotification } from "../../src/database/notifications.ts"
import { describeDatabases } from "../support/databases.ts"

const aKey = (subject: string, name = "ci"): Notification<"new_key"> => ({
  kind: "new_key",
  subject,
  window: "",
  severity: "info",
  at: "2026-11-28T10:00:00.000Z",
  facts: { key_id: subject, name, provider: "openai", model: "gpt-5", request_id: "r" },
})
const OPS = [{ channel: "ops" }]
const LEASE = { channel: "ops", leaseMs: 60_000 }
/** Lets the time pass for everything that waits. */
const later = (db: Database) =>
  db.query("UPDATE majordomo_deliveries SET next_attempt_at = now() - interval '1 minute'")

describeDatabases("the outbox of notifications", (open) => {
  test("stores one of equal kind, subject and period, whoever finds it, with a message for each channel", async () => {
    const db = await open()
    const store = (notification: Notification) =>
      storeNotification(db.query, notification, [...OPS, { channel: "mail" }])
    const results = await Promise.all([store(aKey("a")), store(aKey("a", "other")), store(aKey("a"))])
    expect(results.filter(Boolean)).toEqual([true])
    expect(await store({ ...aKey("a"), window: "2026-11-28T10" })).toBe(true)
    expect(await store(aKey("b"))).toBe(true)
    const stored = await readNotifications(db, { limit: 10, after: undefined, kind: undefined })
    expect(stored.map(({ notification }) => notification.subject)).toEqual(["b", "a", "a"])
    expect(stored[0]).toMatchObject({
      notification: aKey("b"),
      deliveries: [{ channel: "mail", state: "waiting" }, { channel: "ops" }],
    })
    expect(await countWaiting(db)).toBe(6)
  })

  test("stores texts that PostgreSQL cannot, and subjects of any length", async () => {
    const db = await open()
    const long = "\u{1f980}".repeat(2000)
    expect(await storeNotification(db.query, { ...aKey("x\0\ud800"), window: "\0" }, OPS)).toBe(true)
    expect(await storeNotification(db.query, aKey(long, "n\0\udfff"), OPS)).toBe(true)
    expect(await storeNotification(db.query, aKey(long), OPS)).toBe(false)
    const [newest] = await readNotifications(db, { limit: 1, after: undefined, kind: "new_key" })
    expect(newest!.notification.facts).toMatchObject({ name: "n\ufffd\ufffd" })
  })

  test("takes no change of a price that another gateway has seen in the last hours, on another day", async () => {
    const db = await open()
    const changes = [{ component: "input", before: "1", after: "2" }]
    const change = (window: string, recent_cost: string): Notification<"price_changed"> => ({
      ...{ kind: "price_changed", subject: "openai/gpt-5", window, severity: "info", at: "2026-11-28T10:00:00.000Z" },
      facts: { provider: "openai", model: "gpt-5", source: "llm-prices.com", changes, recent_cost },
    })
    const store = (notification: Notification) =>
      storeNotification(db.query, notification, OPS, { unlessWithinHours: 48 })
    expect(await store(change("2026-11-28", "1"))).toBe(true)
    expect(await store(change("2026-11-29", "1.5"))).toBe(false)
    await db.query("UPDATE majordomo_notifications SET created_at = now() - interval '49 hours'")
    expect(await store(change("2026-11-30", "2"))).toBe(true)
  })

  test("has pages", async () => {
    const db = await open()
    for (const subject of ["a", "b", "c"]) await storeNotification(db.query, aKey(subject), OPS)
    const first = await readNotifications(db, { limit: 2, after: undefined, kind: undefined })
    const second = await readNotifications(db, { limit: 2, after: first.at(-1)!.id, kind: undefined })
    expect([...first, ...second].map(({ notification }) => notification.subject)).toEqual(["c", "b", "a"])
    expect(await readNotifications(db, { limit: 2, after: undefined, kind: "limit" })).toEqual([])
  })

  test("gives a message to one gateway at a time, and to another one when the first has died", async () => {
    const db = await open()
    await storeNotification(db.query, aKey("a"), OPS)
    expect(await listDueChannels(db)).toEqual(["ops"])
    const claims = await Promise.all([claimDelivery(db, LEASE), claimDelivery(db, LEASE), claimDelivery(db, LEASE)])
    const [first, ...others] = claims.filter((claim) => claim !== undefined)
    expect(others).toEqual([])
    expect(first).toMatchObject({ channel: "ops", attempts: 1, notification: aKey("a") })
    expect(await listDueChannels(db)).toEqual([])
    await later(db)
    expect(await claimDelivery(db, LEASE)).toMatchObject({ id: first!.id, attempts: 2 })
    expect(await claimDelivery(db, { ...LEASE, channel: "mail" })).toBeUndefined()
  })

  test("keeps what became of a message", async () => {
    const db = await open()
    await storeNotification(db.query, aKey("a"), OPS)
    const { id } = (await claimDelivery(db, LEASE))!
    await settleDelivery(db, id, { state: "waiting", error: "the receiver answered 503", afterMs: 60_000 })
    expect(await readChannelStates(db)).toEqual([
      { channel: "ops", lastSentAt: null, lastError: "the receiver answered 503" },
    ])
    expect(await claimDelivery(db, LEASE)).toBeUndefined()
    await later(db)
    await claimDelivery(db, LEASE)
    await settleDelivery(db, id, { state: "sent" })
    // A gateway whose lease ended long ago does not undo it.
    await settleDelivery(db, id, { state: "failed", error: "late" })
    expect(await readChannelStates(db)).toEqual([{ channel: "ops", lastSentAt: expect.any(Date), lastError: null }])
    expect(await listFailed(db)).toEqual([])
    await storeNotification(db.query, aKey("b"), OPS)
    const next = (await claimDelivery(db, LEASE))!
    await settleDelivery(db, next.id, { state: "failed", error: "the receiver answered 404" })
    expect(await listFailed(db)).toEqual([{ channel: "ops", count: 1, error: "the receiver answered 404" }])
  })

  test("gives up messages for channels that no gateway has any more", async () => {
    const db = await open()
    await storeNotification(db.query, aKey("a"), [...OPS, { channel: "gone" }])
    await db.query("UPDATE majordomo_deliveries SET next_attempt_at = now() - interval '25 hours'")
    await failAbandoned(db, ["ops"])
    expect(await listDueChannels(db)).toEqual(["ops"])
    expect(await listFailed(db)).toEqual([])
  })

  test("forgets old notifications, except for those that wait", async () => {
    const db = await open()
    for (const subject of ["a", "b"]) await storeNotification(db.query, aKey(subject), OPS)
    await settleDelivery(db, (await claimDelivery(db, LEASE))!.id, { state: "sent" })
    await db.query("UPDATE majordomo_notifications SET created_at = now() - interval '91 days'")
    await storeNotification(db.query, aKey("c"), OPS)
    await pruneNotifications(db, 90)
    const left = await readNotifications(db, { limit: 10, after: undefined, kind: undefined })
    expect(left.map(({ notification }) => notification.subject)).toEqual(["c", "b"])
  })
})

describeDatabases("work that is due at a time", (open) => {
  const due = (minutes: number) => new Date(Date.now() + minutes * 60_000)

  test("is not due when a gateway hears of it for the first time, and later once for all gateways", async () => {
    const db = await open()
    expect(await claimRun(db, "digest", due(-60))).toBe(false)
    await db.query(
      "UPDATE majordomo_notification_runs SET started_at = now() - interval '1 day', finished_at = now() - interval '1 day'",
    )
    const claims = await Promise.all([1, 2, 3].map(() => claimRun(db, "digest", due(-60))))
    expect(claims.filter(Boolean)).toEqual([true])
    await finishRun(db, "digest")
    expect(await claimRun(db, "digest", due(-60))).toBe(false)
  })

  test("is done by another gateway if the first one has died", async () => {
    const db = await open()
    await claimRun(db, "digest", due(-60))
    await db.query(
      "UPDATE majordomo_notification_runs SET started_at = now() - interval '1 day', finished_at = now() - interval '1 day'",
    )
    expect(await claimRun(db, "digest", due(-60))).toBe(true)
    expect(await claimRun(db, "digest", due(-60))).toBe(false)
    await db.query("UPDATE majordomo_notification_runs SET started_at = now() - interval '11 minutes'")
    expect(await claimRun(db, "digest", due(-60))).toBe(true)
  })
})

describeDatabases("first uses", (open) => {
  const request = (db: Database, key: string | null, ago: string, more = "'exact'") =>
    db.query(`INSERT INTO llm_requests (majordomo_api_key_id, provider, model, request_path, request_method, requested_at,
        responded_at, created_at, response_time_ms, status_code, cost_status, total_cost)
      VALUES (${key === null ? "NULL" : `'${key}'`}, 'openai', 'house', '/', 'POST', now() - interval '${ago}',
        now() - interval '${ago}', now() - interval '${ago}', 1, 200, ${more}, NULL)`)
  const aNewKey = async (db: Database) =>
    (
      await db.query<{ id: string }>(
        "INSERT INTO api_keys (key_hash, name) VALUES (gen_random_uuid()::text, 'ci') RETURNING id::text",
      )
    ).rows[0]!.id

  test("of a key are those of the last day, as the database knows it, also if its row still waits", async () => {
    const db = await open()
    const [fresh, old, waiting] = [await aNewKey(db), await aNewKey(db), await aNewKey(db)]
    await request(db, fresh, "1 hour")
    await request(db, fresh, "1 minute")
    await request(db, old, "3 days")
    await request(db, old, "1 minute")
    const found = await findNewKeys(db, [fresh, old, waiting])
    expect(found.map(({ keyId }) => keyId).sort()).toEqual([fresh, waiting].sort())
    expect(found.find(({ keyId }) => keyId === fresh)).toMatchObject({ name: "ci", provider: "openai", model: "house" })
    expect(found.find(({ keyId }) => keyId === waiting)).toMatchObject({ name: "ci", requestId: null })
  })

  test("of a key do not come back when its old requests were pruned, because totals stay", async () => {
    const db = await open()
    const key = await aNewKey(db)
    await request(db, key, "40 days")
    await db.query(`BEGIN; SELECT set_config('majordomo.same_sums', 'on', true);
      UPDATE majordomo_schema SET pruned_before = now() - interval '10 days'; DELETE FROM llm_requests; COMMIT`)
    expect(await findNewKeys(db, [key])).toEqual([])
  })

  test("of a model without a price are those of the last day", async () => {
    const db = await open()
    const key = await aNewKey(db)
    const asked = [
      { provider: "openai", model: "house", keyId: key },
      { provider: "openai", model: "x\0", keyId: undefined },
    ]
    await request(db, key, "1 minute", "'unpriced'")
    expect(await findNewlyUnpriced(db, asked)).toEqual([
      { provider: "openai", model: "house", key: "ci" },
      { provider: "openai", model: "x\ufffd", key: null },
    ])
    await request(db, key, "3 days", "'unpriced'")
    expect(await findNewlyUnpriced(db, asked.slice(0, 1))).toEqual([])
  })
})
