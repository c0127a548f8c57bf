import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import pg from "pg"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest"
import type { Notification } from "../../src/core/notification.ts"
import type { Database } from "../../src/database/_database.ts"
import type { LedgerStats } from "../../src/database/ledger/ledger.ts"
import { readNotifications, storeNotification } from "../../src/database/notifications.ts"
import { openPostgres } from "../../src/database/open.ts"
import type { PriceBook } from "../../src/pricing/price-book.ts"
import type { Notifications, NotificationTiming } from "../../src/server/notifications/parts.ts"
import { openNotifications } from "../../src/server/notifications.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { aRecord } from "../database/_ledger.ts"
import { type Receiver, startReceiver } from "../notifications/_receiver.ts"
import { postgresAt } from "../support/databases.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { insertRows } from "../support/usage-rows.ts"

/** Everything happens at once, so that a test waits for nothing but what it tests. */
const FAST: NotificationTiming = {
  pollMs: 5,
  leaseMs: 60_000,
  attemptMs: 20_000,
  firstDelayMs: 5,
  giveUpMs: 24 * 3_600_000,
  rowsMs: 5,
  rowsWaitMs: 60_000,
  scheduleMs: 5,
}
const WAIT = { timeout: 120_000, interval: 10 }

let receiver: Receiver
let database: Database
let dir: string
let url: string

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "mdm-notifications-"))
  url = (await createTestDatabase()).url
  database = await openPostgres(postgresAt(url, { maxConns: 8 }).postgres)
})
beforeEach(async () => {
  receiver = await startReceiver()
  await database.query("TRUNCATE majordomo_notifications, majordomo_notification_runs CASCADE")
})
afterEach(() => receiver.close())
afterAll(async () => {
  await database?.close()
  rmSync(dir, { recursive: true, force: true })
})

interface Given {
  readonly channels?: Readonly<Record<string, object>>
  readonly rules?: readonly object[]
  readonly db?: Database
  readonly timing?: Partial<NotificationTiming>
  readonly isWorker?: boolean
  readonly now?: () => number
}

async function settingsOf({ channels, rules }: Given) {
  const env = {
    MAJORDOMO_NOTIFICATIONS_CHANNELS: JSON.stringify(channels ?? { ops: { type: "webhook", url: receiver.url } }),
    ...(rules && { MAJORDOMO_NOTIFICATIONS_RULES: JSON.stringify(rules) }),
  }
  return (await loadSettings({ cwd: dir, env })).settings
}

/** Starts the notifications of one gateway. */
async function start(given: Given = {}): Promise<Notifications & { readonly lines: readonly string[] }> {
  const lines: string[] = []
  const notifications = await openNotifications({
    settings: await settingsOf(given),
    database: given.db ?? database,
    log: (level, line) => void lines.push(`${level} ${line}`),
    isWorker: given.isWorker ?? false,
    timing: { ...FAST, ...given.timing },
    ...(given.now && { now: given.now }),
  })
  onTestFinished(() => notifications!.close())
  return { ...notifications!, lines }
}

const aKey = (subject: string): Notification<"new_key"> => ({
  kind: "new_key",
  subject,
  window: "",
  severity: "info",
  at: "2026-11-28T10:00:00.000Z",
  facts: { key_id: subject, name: "ci", provider: "openai", model: "gpt-5", request_id: "r" },
})
const ALL = { limit: 1000, after: undefined, kind: undefined }
const list = () => readNotifications(database, ALL)
const states = async () => (await list()).flatMap(({ deliveries }) => deliveries.map(({ state }) => state))
const byNumber = (a: unknown, b: unknown) => Number(String(a).slice(4)) - Number(String(b).slice(4))
const subjects = () => receiver.received.map(({ json }) => json["subject"])

/** A database that cannot be reached while `isAway`. */
function createOutage() {
  const outage = { isAway: false }
  const fail = () => Promise.reject(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }))
  const db: Database = {
    ...database,
    query: (query) => (outage.isAway ? fail() : database.query(query)),
  }
  return { outage, db }
}

describe("notifications of gateways with one database", () => {
  test("are sent once, whichever gateways find them and however many send", async () => {
    const gateways = await Promise.all([start(), start(), start()])
    for (const subject of ["a", "b", "c", "d"]) for (const gateway of gateways) gateway.notify(aKey(subject))
    await vi.waitFor(async () => expect(await states()).toEqual(["sent", "sent", "sent", "sent"]), WAIT)
    await Promise.all(gateways.map((gateway) => gateway.close()))
    expect(subjects().sort()).toEqual(["a", "b", "c", "d"])
    const sent = gateways.flatMap((gateway) => gateway.stats().channels.map(({ sent: count }) => count))
    expect(sent.reduce((sum, count) => sum + count)).toBe(4)
  })

  test("go to the channels of their rules only", async () => {
    const other = await startReceiver()
    onTestFinished(() => other.close())
    const gateway = await start({
      channels: { ops: { type: "webhook", url: receiver.url }, limits: { type: "slack", url: other.url } },
      rules: [
        { when: "new_key", to: "ops", provider: "openai" },
        { when: "limit", to: "limits" },
      ],
    })
    gateway.notify(aKey("a"))
    gateway.notify({ ...aKey("b"), facts: { ...aKey("b").facts, provider: "anthropic" } })
    await vi.waitFor(() => expect(subjects()).toEqual(["a"]), WAIT)
    expect((await list()).map(({ notification }) => notification.subject)).toEqual(["a"])
    expect(other.received).toEqual([])
  })

  test("are found and stored by a worker, which sends none", async () => {
    const worker = await start({ isWorker: true })
    worker.notify(aKey("a"))
    await vi.waitFor(async () => expect(await states()).toEqual(["waiting"]), WAIT)
    expect(receiver.received).toEqual([])
    await start()
    await vi.waitFor(() => expect(subjects()).toEqual(["a"]), WAIT)
  })

  test("are at most 100 of one kind in an hour, because clients choose the names of models", async () => {
    const gateway = await start({ isWorker: true })
    for (let i = 0; i < 150; i++) gateway.notify(aKey(`key ${i}`))
    gateway.notify({ ...aKey("other"), kind: "unpriced_model" } as unknown as Notification)
    await vi.waitFor(async () => expect((await readNotifications(database, ALL)).length).toBe(101), WAIT)
    expect(gateway.lines).toEqual([
      "warn notifications: more than 100 of the kind new_key in an hour, so the others are left out",
    ])
  })

  test("are bounded in a flood of 10,000 at two gateways, of which one dies: each is sent in order, with one id", async () => {
    const { outage, db } = createOutage()
    const dying = await start({ db, timing: { leaseMs: 1_000 } })
    const other = await start({ timing: { leaseMs: 1_000 } })
    for (let i = 0; i < 10_000; i++) for (const gateway of [dying, other]) gateway.notify(aKey(`key ${i}`))
    await vi.waitFor(() => expect(receiver.received.length).toBeGreaterThan(20), WAIT)
    outage.isAway = true
    const expected = Array.from({ length: 100 }, (_, i) => `key ${i}`)
    await vi.waitFor(async () => expect(await states()).toEqual(expected.map(() => "sent")), WAIT)
    const ids = new Map(
      receiver.received.map(({ json, headers }) => [headers["x-majordomo-delivery"], json["subject"]]),
    )
    expect([...ids.values()].toSorted(byNumber)).toEqual(expected)
    // Two gateways send at the same time, and a message of the one that died comes again.
    const places = [...ids.values()].map((subject, at) => Math.abs(Number(String(subject).slice(4)) - at))
    expect(Math.max(...places)).toBeLessThan(100)
    expect(receiver.received.length).toBeLessThanOrEqual(101)
  })

  test("are not even loaded without channels", async () => {
    const { settings } = await loadSettings({ cwd: dir, env: {} })
    expect(await openNotifications({ settings, database, log: () => {}, isWorker: false })).toBeUndefined()
  })
})

describe("a receiver", () => {
  test("that fails is asked again with the same id, until it accepts the message", async () => {
    receiver.next({ status: 500 }, "reset", { status: 503 })
    const gateway = await start()
    gateway.notify(aKey("a"))
    await vi.waitFor(async () => expect(await states()).toEqual(["sent"]), WAIT)
    expect(new Set(receiver.received.map(({ headers }) => headers["x-majordomo-delivery"])).size).toBe(1)
    expect((await list())[0]!.deliveries[0]).toMatchObject({ attempts: 4, error: null })
    expect(gateway.lines).toEqual([])
  })

  test("that hangs is asked again after the time of an attempt, and delays no other channel", async () => {
    const other = await startReceiver()
    onTestFinished(() => other.close())
    receiver.next("never")
    const channels = { ops: { type: "webhook", url: receiver.url }, other: { type: "slack", url: other.url } }
    const gateway = await start({ channels, timing: { attemptMs: 1_000 } })
    gateway.notify(aKey("a"))
    await vi.waitFor(() => expect(other.received).toHaveLength(1), WAIT)
    await vi.waitFor(() => expect(receiver.received).toHaveLength(2), WAIT)
    await vi.waitFor(async () => expect(await states()).toEqual(["sent", "sent"]), WAIT)
  })

  test("that asks to wait is not asked before", async () => {
    receiver.next({ status: 429, headers: { "Retry-After": "600" } })
    const gateway = await start()
    gateway.notify(aKey("a"))
    await vi.waitFor(async () => {
      const [{ deliveries } = { deliveries: [] }] = await list()
      const waitMs = deliveries[0]!.nextAttemptAt.getTime() - Date.now()
      expect(deliveries[0]!.error).toBe("the receiver answered 429")
      expect(waitMs).toBeGreaterThan(500_000)
    }, WAIT)
    expect(receiver.received).toHaveLength(1)
  })

  test("that rejects a message for good is not asked again, which is logged without its address", async () => {
    receiver.always({ status: 404, text: "no_service" })
    const gateway = await start()
    gateway.notify(aKey("a"))
    await vi.waitFor(async () => expect(await states()).toEqual(["failed"]), WAIT)
    expect(gateway.lines).toEqual([
      "warn notifications: new_key was not delivered to ops: the receiver answered 404: no_service",
    ])
    expect(gateway.stats().channels).toEqual([{ channel: "ops", sent: 0, failed: 1 }])
    expect(receiver.received).toHaveLength(1)
  })

  test("that fails for a day is given up", async () => {
    receiver.always({ status: 500 })
    const gateway = await start({ timing: { giveUpMs: 100 } })
    gateway.notify(aKey("a"))
    await vi.waitFor(async () => expect(await states()).toEqual(["failed"]), WAIT)
    expect((await list())[0]!.deliveries[0]!.error).toMatch(/^the receiver answered 500; given up after \d+ attempts?$/)
  })
})

describe("while the database is away", () => {
  test("notifications wait in memory, and are stored and sent when it is back", async () => {
    const { outage, db } = createOutage()
    const gateway = await start({ db })
    outage.isAway = true
    gateway.notify(aKey("a"))
    gateway.notify(aKey("b"))
    gateway.notify(aKey("a"))
    outage.isAway = false
    await vi.waitFor(async () => expect(await states()).toEqual(["sent", "sent"]), WAIT)
    expect(subjects()).toEqual(["a", "b"])
  })

  test("rows that wait are told at once, once an hour, and the database knows it later", async () => {
    const { outage, db } = createOutage()
    let now = Date.parse("2026-11-28T10:00:00Z")
    const stats = {
      ...NO_ROWS,
      accepted: 7,
      waiting: 7,
      stalledSince: now,
      lastError: "ECONNREFUSED: host db.internal",
    }
    const gateway = await start({ db, now: () => now })
    outage.isAway = true
    gateway.watch({ stats: () => stats })
    now += 61_000
    await vi.waitFor(() => expect(receiver.received).toHaveLength(1), WAIT)
    expect(receiver.received[0]!.json).toMatchObject({
      kind: "rows_waiting",
      severity: "critical",
      window: "2026-11-28T10",
      facts: { waiting: 7, oldest_seconds: 61, last_error: "ECONNREFUSED" },
    })
    expect(receiver.received[0]!.body).not.toContain("db.internal")
    now += 3_600_000
    await vi.waitFor(() => expect(receiver.received).toHaveLength(2), WAIT)
    outage.isAway = false
    await vi.waitFor(async () => expect(await states()).toEqual(["sent", "sent"]), WAIT)
    await gateway.close()
    expect(receiver.received).toHaveLength(2)
  })
})

const NO_ROWS: LedgerStats = {
  accepted: 0,
  written: 0,
  waiting: 0,
  rejected: 0,
  dropped: 0,
  journalBytes: 0,
  batches: 0,
  lastWrittenAt: undefined,
  lastError: undefined,
  stalledSince: undefined,
}

describe("rows of the gateway", () => {
  test("that were dropped or rejected are told once an hour, with those that are new", async () => {
    let now = Date.parse("2026-11-28T10:00:00Z")
    let stats: LedgerStats = { ...NO_ROWS, accepted: 3, dropped: 2, rejected: 1 }
    const gateway = await start({ now: () => now })
    gateway.watch({ stats: () => stats })
    await vi.waitFor(() => expect(receiver.received).toHaveLength(1), WAIT)
    stats = { ...stats, dropped: 5 }
    now += 3_600_000
    await vi.waitFor(() => expect(receiver.received).toHaveLength(2), WAIT)
    expect(receiver.received.map(({ json }) => json["facts"])).toMatchObject([
      { dropped: 2, rejected: 1 },
      { dropped: 3, rejected: 0 },
    ])
  })
})

describe("rows that are written, but too slowly", () => {
  test("are told when there are too many for a minute", async () => {
    let now = Date.parse("2026-11-28T10:00:00Z")
    const gateway = await start({ now: () => now, rules: [{ when: "rows_waiting", to: "ops" }] })
    let asked = 0
    gateway.watch({
      stats: () => {
        asked++
        return { ...NO_ROWS, accepted: 20_000, waiting: 20_000 }
      },
    })
    await vi.waitFor(() => expect(asked).toBeGreaterThan(2), WAIT)
    expect(await list()).toEqual([])
    now += 61_000
    await vi.waitFor(() => expect(receiver.received).toHaveLength(1), WAIT)
    expect(receiver.received[0]!.json["facts"]).toMatchObject({ waiting: 20_000, oldest_seconds: 61 })
  })
})

describe("prices of models in use", () => {
  test("are compared when the price book has changed, and a change is told once for all gateways", async () => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await insertRows(client, [{ model: "priced", cost: "12.5" }])
    await client.end()
    let version = 1
    let input = "1"
    let changedAt = Number.POSITIVE_INFINITY
    const prices = {
      version: () => version,
      explain: (_: string, model: string, at: number) => {
        if (model !== "priced") return []
        const base = { input: at < changedAt ? "1" : input }
        return [{ entry: { model, base, tiers: [], sources: { input: { source: "llm-prices.com" } } } }]
      },
    } as unknown as PriceBook
    const rules = [{ when: "price_changed", to: "ops" }]
    const gateways = [await start({ rules }), await start({ rules })]
    for (const gateway of gateways) gateway.watch({ prices })
    changedAt = Date.now()
    input = "2"
    version++
    await vi.waitFor(() => expect(receiver.received).toHaveLength(1), WAIT)
    await Promise.all(gateways.map((gateway) => gateway.close()))
    expect(receiver.received.map(({ json }) => json["facts"])).toMatchObject([
      { model: "priced", recent_cost: "12.5", changes: [{ component: "input", before: "1", after: "2" }] },
    ])
  })
})

describe("published rows", () => {
  test("tell the first use of a key and of a model without a price, once for all gateways", async () => {
    const { rows } = await database.query<{ id: string }>(
      "INSERT INTO api_keys (key_hash, name) VALUES ('h', 'ci') RETURNING id::text",
    )
    const key = rows[0]!.id
    const record = aRecord({
      majordomo_api_key_id: key,
      model: "house-model",
      cost_status: "unpriced",
      total_cost: undefined,
    })
    const gateways = [await start(), await start()]
    for (const gateway of gateways) for (let i = 0; i < 3; i++) gateway.onRecord(record)
    await vi.waitFor(async () => expect(await states()).toEqual(["sent", "sent"]), WAIT)
    await Promise.all(gateways.map((gateway) => gateway.close()))
    const bodies = receiver.received
      .map(({ json }) => json)
      .toSorted((a, b) => String(a["kind"]).localeCompare(String(b["kind"])))
    expect(bodies).toMatchObject([
      { kind: "new_key", subject: key, facts: { name: "ci", model: "house-model", request_id: record.id } },
      {
        kind: "unpriced_model",
        subject: `${record.provider}/house-model`,
        facts: { key: "ci", request_id: record.id },
      },
    ])
  })

  test("without an answer, or with an error, say nothing about prices", async () => {
    const gateway = await start({ rules: [{ when: "unpriced_model", to: "ops" }] })
    const unpriced = { cost_status: "unpriced", total_cost: undefined } as const
    gateway.onRecord(aRecord({ ...unpriced, model: "a", status_code: 404 }))
    gateway.onRecord(aRecord({ ...unpriced, model: "b", outcome: "client_left" }))
    gateway.onRecord(aRecord({ ...unpriced, model: "c", price: { lines: [], reason: "sent, but no answer was seen" } }))
    gateway.onRecord(aRecord({ ...unpriced, model: "d" }))
    await vi.waitFor(() => expect(subjects()).toEqual([expect.stringMatching(/\/d$/)]), WAIT)
    expect((await list()).map(({ notification }) => notification.kind)).toEqual(["unpriced_model"])
  })
})

describe("a clock that jumps", () => {
  const RULES = [{ when: "digest", every: "day", at: "00:00", to: "ops" }]
  const DAY_MS = 86_400_000

  test("sends no digest early, twice or never: a day forward and an hour back", async () => {
    const earlier = "now() - interval '2 days'"
    await database.query(`INSERT INTO majordomo_notification_runs (name, started_at, finished_at)
      VALUES ('digest every day at 00:00', ${earlier}, ${earlier})`)
    let rounds = 0
    const counting: Database = {
      ...database,
      query: (query) => {
        if (typeof query === "object" && query.text.startsWith("UPDATE majordomo_notification_runs")) rounds++
        return database.query(query)
      },
    }
    const untilRounds = (count: number) => vi.waitFor(() => expect(rounds).toBeGreaterThan(count), WAIT)
    let offsetMs = DAY_MS
    const now = () => Date.now() + offsetMs
    await start({ rules: RULES, now, db: counting })
    await untilRounds(3)
    expect(await list()).toEqual([])
    offsetMs = 0
    await vi.waitFor(async () => expect(await states()).toEqual(["sent"]), WAIT)
    const yesterday = new Date(Date.now() - DAY_MS).toISOString().slice(0, 10)
    expect(JSON.stringify(receiver.received[0]!.json)).toContain(yesterday)
    for (const jump of [-3_600_000, DAY_MS, 0]) {
      offsetMs = jump
      await untilRounds(rounds + 3)
    }
    expect(receiver.received).toHaveLength(1)
  })

  test("of the database that goes back a day delays no message, and none is given up by an age that is wrong", async () => {
    for (const subject of ["new", "tried"]) {
      await storeNotification(database.query, aKey(subject), [{ channel: "ops" }])
    }
    await database.query("UPDATE majordomo_deliveries SET next_attempt_at = now() + interval '1 day'")
    await database.query(`UPDATE majordomo_deliveries SET attempts = 1, attempted_at = now() + interval '1 day'
      WHERE notification_id = (SELECT id FROM majordomo_notifications WHERE subject = 'tried')`)
    await database.query("UPDATE majordomo_notifications SET created_at = now() - interval '2 days'")
    receiver.next({ status: 500 }, { status: 500 })
    await start()
    await vi.waitFor(async () => expect(await states()).toEqual(["sent", "sent"]), WAIT)
    expect(new Set(subjects())).toEqual(new Set(["new", "tried"]))
    expect(receiver.received).toHaveLength(4)
  })
})

describe("a digest", () => {
  const RULES = [{ when: "digest", every: "day", at: "09:00", to: "ops" }]
  const runs = async () => (await database.query("SELECT FROM majordomo_notification_runs")).rowCount

  test("is sent by one gateway at its time, and after a downtime only the last one", async () => {
    let now = Date.parse("2026-11-20T12:00:00Z")
    const first = await start({ rules: RULES, now: () => now })
    await vi.waitFor(async () => expect(await runs()).toBe(1), WAIT)
    await first.close()
    expect(receiver.received).toEqual([])
    // The clock of the database is the present, so the last run is moved to the time of the test.
    await database.query(
      "UPDATE majordomo_notification_runs SET started_at = '2026-11-20T12:00:00Z', finished_at = '2026-11-20T12:00:00Z'",
    )
    now = Date.parse("2026-11-28T10:00:00Z")
    const gateways = await Promise.all([1, 2].map(() => start({ rules: RULES, now: () => now })))
    await vi.waitFor(async () => expect(await states()).toEqual(["sent"]), WAIT)
    await vi.waitFor(async () => {
      const { rows } = await database.query(
        "SELECT FROM majordomo_notification_runs WHERE finished_at > now() - interval '1 hour'",
      )
      expect(rows).toHaveLength(1)
    }, WAIT)
    await Promise.all(gateways.map((gateway) => gateway.close()))
    expect(receiver.received).toHaveLength(1)
    expect(receiver.received[0]!.json).toMatchObject({ kind: "digest", facts: { every: "day" } })
  })
})
