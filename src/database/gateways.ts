import { setTimeout as delay } from "node:timers/promises"
import type { Database } from "./_database.ts"

/**
 * This file implements a guarantee of `keys revoke`: when the command returns, every gateway rejects the key, or the
 * command names the gateways that may still accept it, and until when.
 *
 * Every gateway has a row in majordomo_gateways and renews it every 5 s. A revocation is committed first. Then it takes
 * the next number of majordomo_questions, notifies the gateways, and waits until each that was seen recently has
 * written this number or a later one into its row. A gateway reads the latest number from the sequence, forgets all keys
 * that it remembers, and only then writes the number: its look-ups from then on see what was committed before the
 * question. A notification only makes this happen at once. Whoever forges one causes no answer that is not true.
 *
 * A gateway that does not answer (because it is frozen or cut off) stops trusting its cache TRUST_MS after its last
 * renewal, by its own clock, and asks the database for each key. If it cannot reach the database either, it accepts the
 * keys that it remembers for `offline_s` after its last contact. The revocation stops waiting for it STALE_MS after its
 * last renewal, by the clock of the database, and reports it as silent. A revocation therefore takes milliseconds as a
 * rule, and at worst the time in which a heartbeat notices a dead connection (8 s) plus STALE_MS.
 */
export const KEY_CHANNEL = "majordomo_keys"
export const TRUST_MS = 9_000
const STALE_MS = 12_000
const TIMEOUT_MS = 3_000

/** A payload of the channel: provider keys have changed. A trigger of their table sends it. */
export const PROVIDER_KEYS = "provider-keys"

/** Payloads of the channel: limits have changed; a gateway has no room while others hold more than they use. */
export const LIMITS = "limits"
export const LIMITS_RETURN = "limits-return"

/** Whether a payload of the channel asks for an answer, as in `?7`. Others are `*`, or the hash of the key that changed. */
export function isQuestion(payload: string): boolean {
  return payload.startsWith("?")
}

export interface GatewayIdentity {
  /** A name for people: the host, the process and the version. */
  readonly name: string
  /** The directory that only this process owns, with its host. The row of an earlier process there is obsolete. */
  readonly slot: string
  /** How long the gateway accepts a key that it cannot check. */
  readonly offlineMs: number
}

interface GatewayRow extends GatewayIdentity {
  readonly id: string
  /** The number of the latest question after which the gateway has forgotten all keys. */
  readonly heard: string
  /** Whether the row is written for the first time. */
  readonly isNew: boolean
}

/** Inserts or renews the row of a gateway, and returns the number of the latest question. */
export async function renewGateway(db: Database, row: GatewayRow): Promise<string> {
  const { rows } = await db.query<{ question: string }>({
    text: `WITH obsolete AS (DELETE FROM majordomo_gateways WHERE (slot = $4 AND id <> $1 AND $6)
        OR seen_at < clock_timestamp() - greatest(interval '1 day', make_interval(secs => offline_s)))
      INSERT INTO majordomo_gateways (id, heard, name, slot, offline_s) VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp(), heard = excluded.heard
      RETURNING (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM majordomo_questions)::text AS question`,
    values: [row.id, row.heard, row.name, row.slot, Math.ceil(row.offlineMs / 1000), row.isNew],
    timeoutMs: TIMEOUT_MS,
  })
  return rows[0]!.question
}

export async function removeGateway(db: Database, id: string): Promise<void> {
  await db.query({ text: "DELETE FROM majordomo_gateways WHERE id = $1", values: [id], timeoutMs: TIMEOUT_MS })
}

/** Times are ISO 8601 in UTC, by the clock of the database. */
interface GatewayAnswer {
  readonly name: string
  readonly lastSeenAt: string
}

export interface GatewayAnswers {
  /** The gateways that have applied what was committed before the question. */
  readonly acknowledged: readonly GatewayAnswer[]
  /** The gateways that may not have. `acceptsUntil` is undefined for an older program, which has no limit. */
  readonly silent: readonly (GatewayAnswer & { readonly acceptsUntil: string | undefined })[]
}

/** Asks every gateway to apply what was committed before the call, and waits until each has answered or is silent. */
export async function askGateways(db: Database): Promise<GatewayAnswers> {
  if ((await readGateways(db, "0")).length === 0) return { acknowledged: [], silent: [] }
  const { rows } = await db.query<{ question: string }>("SELECT nextval('majordomo_questions')::text AS question")
  const { question } = rows[0]!
  await db.query({ text: "SELECT pg_notify($1, $2)", values: [KEY_CHANNEL, `?${question}`] })
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 250)) {
    const gateways = await readGateways(db, question)
    if (!gateways.some(({ answered, recent }) => recent && !answered)) return toAnswers(gateways, db.kind)
    await delay(pauseMs)
  }
}

/** A process of a gateway. */
export interface GatewayProcess extends GatewayAnswer {
  /** Its journal directory, with its host. */
  readonly slot: string
  /** Undefined: it is of an older version, whose ids do not say it. */
  readonly startedAt: string | undefined
}

/** Lists the processes of the gateways of the database, by their names. */
export async function listProcesses(db: Database): Promise<readonly GatewayProcess[]> {
  return (await readGateways(db, "0")).map(({ id, name, slot, seen_at }) => ({
    name: name ?? "a gateway of an older version",
    slot: slot ?? "",
    startedAt: toStart(id)?.toISOString(),
    lastSeenAt: seen_at.toISOString(),
  }))
}

/** Returns the time at which an id of version 7 was made. */
function toStart(id: string): Date | undefined {
  return id[14] === "7" ? new Date(Number.parseInt(id.replace("-", "").slice(0, 12), 16)) : undefined
}

interface FoundGateway {
  readonly id: string
  readonly name: string | null
  readonly slot: string | null
  readonly seen_at: Date
  readonly accepts_until: Date | null
  readonly answered: boolean
  readonly recent: boolean
  /** Whether it rejects every key that it cannot check by now. */
  readonly expired: boolean | null
}

async function readGateways(db: Database, question: string): Promise<readonly FoundGateway[]> {
  const { rows } = await db.query<FoundGateway>({
    text: `SELECT *, accepts_until < clock_timestamp() AS expired FROM (
        SELECT id, name, slot, seen_at, heard >= $2::bigint AS answered,
          seen_at > clock_timestamp() - make_interval(secs => $1) AS recent,
          seen_at + make_interval(secs => offline_s + $1) AS accepts_until -- a look-up may have followed the renewal
        FROM majordomo_gateways) AS gateways
      ORDER BY name, id`,
    values: [STALE_MS / 1000, question],
  })
  return rows
}

/** Nobody is silent on the embedded database: a gateway cannot outlive the process that owns it, and asks it again. */
function toAnswers(gateways: readonly FoundGateway[], kind: Database["kind"]): GatewayAnswers {
  const toAnswer = ({ id, name, seen_at }: FoundGateway) => ({ name: name ?? id, lastSeenAt: seen_at.toISOString() })
  const silent = gateways.filter(({ answered, expired }) => kind !== "embedded" && !answered && !expired)
  return {
    acknowledged: gateways.filter(({ answered }) => answered).map(toAnswer),
    silent: silent.map((each) => ({ ...toAnswer(each), acceptsUntil: each.accepts_until?.toISOString() })),
  }
}
