import type { Bill, BillLine, Cause, ReconciledDay, Reconciliation } from "../core/reconciliation.ts"
import type { Database, RunQuery } from "./_database.ts"

/** One UTC day of an account of a provider, as it was last compared. */
export interface StoredDay extends ReconciledDay {
  readonly provider: string
  /** Undefined: the provider names none. */
  readonly account: string | undefined
  readonly source: Bill["source"]
  readonly notes: readonly string[]
  /** When the bill was read. */
  readonly fetchedAt: Date
}

/** A range of UTC days, such as `2026-11-01` to `2026-12-01`; `until` is the day after the last one. */
export interface Days {
  readonly since: string
  readonly until: string
}

/** Stores the days of a comparison. They replace those of an earlier one. */
export async function writeReconciliation(query: RunQuery, reconciliation: Reconciliation): Promise<void> {
  const { provider, account, source, fetchedAt, notes, days } = reconciliation
  await query({
    text: `INSERT INTO llm_reconciliations (provider, account, day, billed, recorded, settling, causes, notes, source, fetched_at)
      SELECT $1, $2, d.day, d.billed, d.recorded, d.settling, d.causes, $3, $4, $5
      FROM jsonb_to_recordset($6) AS d(day date, billed numeric, recorded numeric, settling boolean, causes jsonb)
      ON CONFLICT (provider, account, day) DO UPDATE
        SET billed = excluded.billed, recorded = excluded.recorded, settling = excluded.settling, causes = excluded.causes,
          notes = excluded.notes, source = excluded.source, fetched_at = excluded.fetched_at`,
    values: [provider, account ?? "", JSON.stringify(notes), source, fetchedAt, JSON.stringify(days)],
  })
}

interface DayRow extends Omit<StoredDay, "account" | "causes"> {
  readonly account: string
  readonly causes: readonly Cause[]
}

/** Returns the stored days of a range, of one provider or of all, by provider, account and day. */
export async function listReconciliations(
  query: RunQuery,
  { provider, since, until }: Days & { readonly provider: string | undefined },
): Promise<StoredDay[]> {
  const { rows } = await query<DayRow>({
    text: `SELECT provider, account, day, trim_scale(billed)::text AS billed, trim_scale(recorded)::text AS recorded,
        settling, causes, notes, source, fetched_at AS "fetchedAt"
      FROM llm_reconciliations
      WHERE ($1::text IS NULL OR provider = $1) AND day >= $2 AND day < $3 ORDER BY provider, account, day`,
    values: [provider ?? null, since, until],
  })
  return rows.map((row) => ({ ...row, account: row.account || undefined }))
}

const LINES_AT_ONCE = 2000

/**
 * Stores the lines of an imported bill in place of those that the account has for the same days: lines with a cost if the bill
 * has costs, and lines with a quantity if it has quantities. So a file with costs and one with tokens complete each other.
 * Call it in a transaction.
 */
export async function replaceImportedLines(query: RunQuery, bill: Bill): Promise<void> {
  const account = bill.account ?? ""
  const range = [bill.provider, account, bill.since, bill.until]
  const has = (side: "cost" | "quantity") => bill.lines.some((line) => line[side] !== undefined)
  await query({
    text: `DELETE FROM llm_bill_lines WHERE provider = $1 AND account = $2 AND day >= $3 AND day < $4
      AND (cost IS NOT NULL AND $5 OR quantity IS NOT NULL AND $6 OR cost IS NULL AND quantity IS NULL)`,
    values: [...range, has("cost"), has("quantity")],
  })
  const { rows } = await query<{ first: number }>({
    text: `SELECT coalesce(max(line) + 1, 0) AS first FROM llm_bill_lines
      WHERE provider = $1 AND account = $2 AND day >= $3 AND day < $4`,
    values: range,
  })
  const { first } = rows[0]!
  for (let at = 0; at < bill.lines.length; at += LINES_AT_ONCE) {
    const lines = bill.lines.slice(at, at + LINES_AT_ONCE).map((line, index) => ({ ...line, line: first + at + index }))
    await query({
      text: `INSERT INTO llm_bill_lines (provider, account, day, line, model, tier, bucket, key, project, requests, quantity,
          list_cost, cost, item, imported_at)
        SELECT $1, $2, l.day, l.line, l.model, l.tier, l.bucket, l.key, l.project, l.requests, l.quantity, l."listCost", l.cost,
          l.item, $3
        FROM json_to_recordset($4) AS l(day date, line integer, model text, tier text, bucket text, key text, project text,
          requests bigint, quantity numeric, "listCost" numeric, cost numeric, item text)`,
      values: [bill.provider, account, bill.fetchedAt, JSON.stringify(lines)],
    })
  }
}

interface LineRow extends Record<keyof Omit<BillLine, "day" | "bucket">, string | null> {
  readonly account: string
  readonly day: string
  readonly bucket: BillLine["bucket"]
  readonly importedAt: Date
}

/**
 * Returns the imported bills of a provider, one for each account, with the days of the range that they have: the days before
 * the first line and after the last one were not in the file.
 */
export async function readImportedLines(
  query: RunQuery,
  { provider, since, until }: Days & { readonly provider: string },
): Promise<Bill[]> {
  const { rows } = await query<LineRow>({
    text: `SELECT account, day, model, tier, bucket, key, project, requests, trim_scale(quantity)::text AS quantity,
        trim_scale(list_cost)::text AS "listCost", trim_scale(cost)::text AS cost, item, imported_at AS "importedAt"
      FROM llm_bill_lines
      WHERE provider = $1 AND day >= $2 AND day < $3 ORDER BY account, day, line`,
    values: [provider, since, until],
  })
  const accounts = [...new Set(rows.map(({ account }) => account))]
  return accounts.map((account) =>
    toBill(
      provider,
      account,
      rows.filter((row) => row.account === account),
    ),
  )
}

function toBill(provider: string, account: string, rows: readonly LineRow[]): Bill {
  const newest = Math.max(...rows.map(({ importedAt }) => importedAt.getTime()))
  return {
    provider,
    account: account || undefined,
    since: rows[0]!.day,
    until: toDayAfter(rows.at(-1)!.day),
    source: "import",
    lines: rows.map(toLine),
    fetchedAt: new Date(newest).toISOString(),
    notes: [],
  }
}

function toLine(row: LineRow): BillLine {
  return {
    day: row.day,
    model: row.model ?? undefined,
    tier: row.tier ?? undefined,
    bucket: row.bucket,
    key: row.key ?? undefined,
    project: row.project ?? undefined,
    requests: row.requests === null ? undefined : Number(row.requests),
    quantity: row.quantity ?? undefined,
    listCost: row.listCost ?? undefined,
    cost: row.cost ?? undefined,
    item: row.item ?? undefined,
  }
}

function toDayAfter(day: string): string {
  return new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10)
}

/** Returns the names of the providers that have imported lines on the days. */
export async function listImportedProviders(query: RunQuery, { since, until }: Days): Promise<string[]> {
  const { rows } = await query<{ provider: string }>({
    text: "SELECT DISTINCT provider FROM llm_bill_lines WHERE day >= $1 AND day < $2 ORDER BY 1",
    values: [since, until],
  })
  return rows.map(({ provider }) => provider)
}

/**
 * Returns the first UTC day of which all requests of a provider are stored; undefined if the provider has none. Requests of
 * earlier days were pruned, or did not pass through the gateway.
 */
export async function findFirstRecordedDay(query: RunQuery, provider: string): Promise<string | undefined> {
  const { rows } = await query<{ day: string | null }>({
    text: `SELECT (greatest(min(hour), (SELECT pruned_before FROM majordomo_schema)) AT TIME ZONE 'UTC')::date AS day
      FROM llm_usage_hourly WHERE provider = $1`,
    values: [provider],
  })
  return rows[0]?.day ?? undefined
}

/** Returns the day before which requests were pruned; undefined if none were. */
export async function findPrunedBefore(query: RunQuery): Promise<string | undefined> {
  const { rows } = await query<{ day: string | null }>(
    "SELECT (pruned_before AT TIME ZONE 'UTC')::date AS day FROM majordomo_schema",
  )
  return rows[0]?.day ?? undefined
}

/** After so long, a run that has not finished is taken for one whose gateway died or whose provider did not answer. */
const RETRY_AFTER = "1 hour"

/**
 * Returns whether this gateway does the daily comparison of a provider: exactly one of all gateways gets `true`. After `dueAt`,
 * a run that has not finished may be claimed again an hour later.
 */
export async function claimReconcileRun(
  db: Pick<Database, "query">,
  { provider, dueAt }: { readonly provider: string; readonly dueAt: Date },
): Promise<boolean> {
  const { rowCount } = await db.query({
    text: `INSERT INTO majordomo_reconcile_runs AS r (provider, started_at) VALUES ($1, now())
      ON CONFLICT (provider) DO UPDATE SET started_at = now()
        WHERE coalesce(r.finished_at, '-infinity') < $2
          AND (r.started_at < $2 OR r.started_at < now() - interval '${RETRY_AFTER}')`,
    values: [provider, dueAt],
  })
  return rowCount === 1
}

/** Notes that the claimed comparison of a provider is done, so that no gateway repeats it. */
export async function finishReconcileRun(db: Pick<Database, "query">, provider: string): Promise<void> {
  await db.query({
    text: "UPDATE majordomo_reconcile_runs SET finished_at = now() WHERE provider = $1",
    values: [provider],
  })
}
