import { CommandError } from "../core/errors.ts"
import type { Limit } from "../core/limit.ts"
import { isUuid } from "../kit/uuid.ts"
import type { Database, RunQuery } from "./_database.ts"
import { readIfMigrated, toErrorCode } from "./failures.ts"

type Queryable = Pick<Database, "query">

/** A limit as the table has it, without what `undefined` stands for. */
interface LimitRow extends Omit<Limit, "key" | "provider" | "model" | "where" | "per"> {
  readonly key: string | null
  readonly provider: string | null
  readonly model: string | null
  readonly where: Readonly<Record<string, string>> | null
  readonly per: string | null
}

/** The column of each field. */
const COLUMN_OF = {
  id: "id",
  name: "name",
  measure: "measure",
  amount: "amount",
  window: "window_unit",
  tz: "tz",
  key: "api_key_id",
  provider: "provider",
  model: "model",
  where: "metadata",
  per: "per",
  action: "action",
  notifyAt: "notify_at",
  estimate: "estimate",
  unpriced: "unpriced",
  source: "source",
} as const satisfies Record<keyof Limit, string>

const FIELDS = Object.keys(COLUMN_OF) as (keyof Limit)[]
const COLUMNS = FIELDS.map((field) => {
  const column = field === "amount" ? "trim_scale(l.amount)::text" : `l.${COLUMN_OF[field]}`
  return `${column} AS "${field}"`
}).join(", ")

/** Counting what a limit has used already reads the requests of its window, or all of them. */
const COUNT_TIMEOUT_MS = 10 * 60_000

/** Returns all limits by name; none in a database whose schema has no such table yet. */
export async function listLimits(db: Queryable): Promise<readonly Limit[]> {
  const text = `SELECT ${COLUMNS} FROM llm_limits l ORDER BY l.name, l.id`
  return (await readIfMigrated(async () => (await db.query<LimitRow>(text)).rows)).map(toLimit)
}

/** Finds a limit by its id or its name. */
export async function findLimit(db: Queryable, nameOrId: string): Promise<Limit | undefined> {
  const { rows } = await db.query<LimitRow>({
    text: `SELECT ${COLUMNS} FROM llm_limits l WHERE l.name = $1 OR l.id = $2 ORDER BY l.id = $2 DESC`,
    values: [nameOrId, isUuid(nameOrId) ? nameOrId : null],
  })
  return rows[0] && toLimit(rows[0])
}

/** A limit without what the database or a default decides. */
export type NewLimit = Pick<Limit, "name" | "measure" | "amount" | "window"> & Partial<Omit<Limit, "id">>

/**
 * Stores a limit and counts what its present window has used already, in the transaction of the caller. Batches wait until
 * it ends. A transaction that also changes API keys calls `lockRollups` first (locks.ts), as for `updateLimit` and
 * `deleteLimit`.
 *
 * @throws CommandError if the name is taken, or the database does not know the time zone
 */
export async function insertLimit(query: RunQuery, limit: NewLimit): Promise<Limit> {
  const fields = toGiven(limit)
  const text = `INSERT INTO llm_limits AS l (${fields.map((field) => COLUMN_OF[field]).join(", ")})
    VALUES (${fields.map((_, at) => `$${at + 1}`).join(", ")}) RETURNING ${COLUMNS}`
  return (await change(query, text, limit, toValues(limit, fields)))!
}

/**
 * Changes the given fields of a limit and returns it; undefined if there is no such limit. `key: undefined`, for example,
 * removes that filter. If other requests count from now on, its present window is counted again.
 *
 * @throws CommandError as `insertLimit`
 */
export async function updateLimit(
  query: RunQuery,
  id: string,
  changes: Partial<Omit<Limit, "id">>,
): Promise<Limit | undefined> {
  const fields = FIELDS.filter((field) => field !== "id" && field in changes)
  if (fields.length === 0) return findLimit({ query }, id)
  const text = `UPDATE llm_limits l SET ${fields.map((field, at) => `${COLUMN_OF[field]} = $${at + 2}`).join(", ")}
    WHERE l.id = $1 RETURNING ${COLUMNS}`
  return change(query, text, changes, [id, ...toValues(changes, fields)])
}

/** Deletes a limit and what was counted for it, and returns it; undefined if there is no such limit. */
export async function deleteLimit(query: RunQuery, id: string): Promise<Limit | undefined> {
  const { rows } = await query<LimitRow>({
    text: `DELETE FROM llm_limits l WHERE l.id = $1 RETURNING ${COLUMNS}`,
    values: [id],
  })
  return rows[0] && toLimit(rows[0])
}

async function change(
  query: RunQuery,
  text: string,
  { name, tz }: Partial<Limit>,
  values: readonly unknown[],
): Promise<Limit | undefined> {
  try {
    const { rows } = await query<LimitRow>({ text, values, timeoutMs: COUNT_TIMEOUT_MS })
    return rows[0] && toLimit(rows[0])
  } catch (error) {
    const code = toErrorCode(error)
    if (code === "23505")
      throw new CommandError(`there is already a limit with the name "${name}": choose another name`)
    if (code === "22023" && tz !== undefined) throw new CommandError(`the database does not know the time zone "${tz}"`)
    throw error
  }
}

function toGiven(limit: Partial<Limit>): readonly (keyof Limit)[] {
  return FIELDS.filter((field) => limit[field] !== undefined)
}

function toValues(limit: Partial<Limit>, fields: readonly (keyof Limit)[]): readonly unknown[] {
  return fields.map((field) =>
    field === "where" && limit.where ? JSON.stringify(limit.where) : (limit[field] ?? null),
  )
}

function toLimit(row: LimitRow): Limit {
  const { key, provider, model, where, per } = row
  return {
    ...row,
    key: key ?? undefined,
    provider: provider ?? undefined,
    model: model ?? undefined,
    where: where ?? undefined,
    per: per ?? undefined,
  }
}

/** What is left of a limit for one value of its `per`. Amounts are plain decimals. */
export interface LimitState {
  readonly limit: Limit
  readonly value: string
  /** Committed rows of the present window. */
  readonly used: string
  /** What the gateways hold for running requests, for rows that are not committed, and for requests to come. */
  readonly reserved: string
  /** At least 0. */
  readonly remaining: string
  /** ISO 8601; undefined for a limit without an end. */
  readonly windowStart: string | undefined
  readonly resetsAt: string | undefined
}

interface StatesOptions {
  /** Ms since the epoch: the time whose windows are read. */
  readonly at: number
  /** The id of a limit; undefined: all limits. */
  readonly limit?: string | undefined
  /** The number of values of each limit, most used first. Default: 20. */
  readonly top?: number | undefined
  /** Only this value of limits with `per`. It has a state even if nothing was used. */
  readonly value?: string | undefined
}

interface StateRow extends LimitRow, Omit<LimitState, "limit" | "windowStart" | "resetsAt"> {
  readonly window_start: Date | null
  readonly window_end: Date | null
}

/** Returns the states of limits in their present windows, by the name of the limit, the most used values first. */
export async function readLimitStates(
  db: Queryable,
  { at, limit, top = 20, value }: StatesOptions,
): Promise<readonly LimitState[]> {
  const values = [new Date(at).toISOString(), limit ?? null, top, value ?? null]
  const rows = await readIfMigrated(async () => (await db.query<StateRow>({ text: STATES, values })).rows)
  return rows.map(({ value: group, used, reserved, remaining, window_start: start, window_end: end, ...row }) => ({
    limit: toLimit(row),
    value: group,
    used,
    reserved,
    remaining,
    windowStart: start?.toISOString(),
    resetsAt: end?.toISOString(),
  }))
}

/** A limit without `per` always has a state. One with it has those of the values that were used or are reserved. */
const STATES = `
  SELECT ${COLUMNS}, s.value, trim_scale(s.used)::text AS used, trim_scale(s.reserved)::text AS reserved,
    trim_scale(greatest(l.amount - s.used - s.reserved, 0))::text AS remaining,
    CASE WHEN l.window_unit <> 'total' THEN majordomo_limit_window(l.window_unit, $1, l.tz) END AS window_start,
    majordomo_limit_window_end(l.window_unit, $1, l.tz) AS window_end
  FROM llm_limits l CROSS JOIN LATERAL (
    SELECT value, sum(used) AS used, sum(reserved) AS reserved FROM (
      SELECT value, majordomo_limit_used(l.measure, u) AS used, 0 AS reserved FROM llm_limit_usage u
        WHERE u.limit_id = l.id AND window_start = majordomo_limit_window(l.window_unit, $1, l.tz)
      UNION ALL SELECT value, 0, granted FROM llm_limit_leases e
        WHERE e.limit_id = l.id AND expires_at > clock_timestamp()
      UNION ALL SELECT '', 0, 0 WHERE l.per IS NULL
      UNION ALL SELECT $4::text, 0, 0 WHERE l.per IS NOT NULL AND $4::text IS NOT NULL
    ) AS parts
    WHERE l.per IS NULL OR $4::text IS NULL OR value = $4::text
    GROUP BY value ORDER BY sum(used) DESC, value LIMIT $3
  ) AS s
  WHERE $2::uuid IS NULL OR l.id = $2::uuid
  ORDER BY l.name, l.id, s.used DESC, s.value`
