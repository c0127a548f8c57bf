import type { PriceChange, PriceHistoryStore } from "../core/price-history.ts"
import type { Database } from "./_database.ts"
import { lockFirst } from "./locks.ts"

/** Opens the history of prices in the table llm_price_history. */
export function createPriceHistoryStore(db: Database): PriceHistoryStore {
  let revision = "0"
  return {
    readNew: async () => {
      const { rows } = await db.query<Row>({ text: READ, values: [revision] })
      revision = rows.at(-1)?.revision ?? revision
      return rows.map(toChange)
    },
    add: async (changes) => {
      const rounds = toRounds(changes.filter(isStorable))
      if (rounds.length === 0) return
      await db.transaction(async (query) => {
        // One writer at a time: what it adds depends on the rows before, and readers rely on the order of revisions.
        await lockFirst(query, 5)
        for (const round of rounds) await query({ text: ADD, values: [JSON.stringify(round.map(toRow))] })
      })
    },
  }
}

interface Row {
  readonly revision: string
  readonly source: string
  readonly provider: string
  readonly model: string
  readonly valid_from: Date
  readonly seen_at: Date
  readonly prices: unknown
}

const READ = `SELECT revision, source, provider, model, valid_from, seen_at, prices FROM llm_price_history
  WHERE revision > $1::bigint ORDER BY revision`

/**
 * Adds changes of different models. Prices that differ from those before are added. If the next ones are the same, another
 * gateway saw the change later, and its row gets the earlier time. The first prices that a gateway saw apply from the day
 * of their list only if nothing else is known of that time.
 */
const ADD = `WITH given AS (
  SELECT source, provider, model, seen_at, prices, CASE WHEN EXISTS (SELECT FROM llm_price_history h
    WHERE (h.source, h.provider, h.model) = (g.source, g.provider, g.model) AND h.valid_from <= g.seen_at)
    THEN seen_at ELSE valid_from END AS valid_from
  FROM json_to_recordset($1::json)
    AS g(source text, provider text, model text, valid_from timestamptz, seen_at timestamptz, prices jsonb)
), changed AS (
  SELECT g.*, after.valid_from AS seen_later FROM given g
  LEFT JOIN LATERAL (SELECT h.valid_from, h.prices FROM llm_price_history h
    WHERE (h.source, h.provider, h.model) = (g.source, g.provider, g.model) AND h.valid_from <= g.valid_from
    ORDER BY h.valid_from DESC LIMIT 1) AS before ON true
  LEFT JOIN LATERAL (SELECT h.valid_from, h.prices FROM llm_price_history h
    WHERE (h.source, h.provider, h.model) = (g.source, g.provider, g.model) AND h.valid_from > g.valid_from
    ORDER BY h.valid_from LIMIT 1) AS after ON after.prices IS NOT DISTINCT FROM g.prices
  WHERE g.prices IS DISTINCT FROM before.prices AND before.valid_from IS DISTINCT FROM g.valid_from
), moved AS (
  UPDATE llm_price_history h
  SET valid_from = c.valid_from, seen_at = least(h.seen_at, c.seen_at), revision = DEFAULT
  FROM changed c
  WHERE (h.source, h.provider, h.model, h.valid_from) = (c.source, c.provider, c.model, c.seen_later)
)
INSERT INTO llm_price_history (source, provider, model, valid_from, seen_at, prices)
SELECT source, provider, model, valid_from, seen_at, prices FROM changed WHERE seen_later IS NULL
ON CONFLICT DO NOTHING`

/** The primary key holds names of this length. No request can have a longer one. */
const MAX_NAME_LENGTH = 256

/** Returns whether PostgreSQL can store a change: its text has neither U+0000 nor half of a surrogate pair. */
function isStorable(change: PriceChange): boolean {
  const isShort = change.provider.length <= MAX_NAME_LENGTH && change.model.length <= MAX_NAME_LENGTH
  return isShort && !/\\u(?:0000|d[89a-f])/i.test(JSON.stringify(change))
}

/** Splits changes so that each part has one change of a model at most, the earlier ones first. */
function toRounds(changes: readonly PriceChange[]): readonly (readonly PriceChange[])[] {
  const rounds: PriceChange[][] = []
  const counts = new Map<string, number>()
  for (const change of [...changes].sort((a, b) => a.from - b.from)) {
    const key = JSON.stringify([change.source, change.provider, change.model])
    const nth = counts.get(key) ?? 0
    counts.set(key, nth + 1)
    rounds[nth] ??= []
    rounds[nth].push(change)
  }
  return rounds
}

function toRow({ source, provider, model, from, seenAt, prices }: PriceChange): Omit<Row, "revision"> {
  return { source, provider, model, valid_from: new Date(from), seen_at: new Date(seenAt), prices }
}

function toChange({ source, provider, model, valid_from, seen_at, prices }: Row): PriceChange {
  return { source, provider, model, from: valid_from.getTime(), seenAt: seen_at.getTime(), prices }
}
