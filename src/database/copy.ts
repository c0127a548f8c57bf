import { CommandError } from "../core/errors.ts"
import type { Database } from "./_database.ts"
import { copyAudit, copyPriceOverrides, copyTokens } from "./copy/access.ts"
import { copyArchive } from "./copy/archive.ts"
import { createCardCopy } from "./copy/cards.ts"
import { copyImports } from "./copy/imports.ts"
import { copyJobs } from "./copy/jobs.ts"
import { copyKeys, copyMetadataNames, copyProviderKeys, raiseCounters, readJournalMarks } from "./copy/keys.ts"
import { copyLimits } from "./copy/limits.ts"
import { copyNotifications } from "./copy/notifications.ts"
import { copyReconciliations } from "./copy/reconciliations.ts"
import { copyRepricings } from "./copy/repricings.ts"
import { copyPrunedRollups } from "./copy/rollups.ts"
import { COPY_TIMEOUT_MS, listColumns } from "./copy/tables.ts"
import { createPriceHistoryStore } from "./price-history.ts"
import { migrate } from "./schema.ts"
import { readSchemaState } from "./schema-state.ts"

interface Copied {
  readonly keys: number
  /** The number of requests in the source. */
  readonly requests: number
  /** The number of those that the target did not have. */
  readonly added: number
  readonly repricings: number
  /** Why the totals of pruned days were not copied; undefined if they were, or if there are none. */
  readonly sumsLeftOut: string | undefined
}

/** A row with bodies may have 128 KiB. */
const ROWS_AT_ONCE = 250

/**
 * Copies keys, provider keys, admin tokens, requests, jobs, metadata names, repricings, the history of prices, the prices
 * that were set, the comparisons with bills, the list of imports, the notifications, the audit log, the limits, the totals of
 * pruned days and the state of the archive into another database, after migrating both. Rows keep their ids, so the copy can
 * be repeated, also after an interruption and while both databases
 * are in use: rows that are there already stay and count once. The target's own triggers make its rollups.
 */
export async function copyDatabase(
  source: Database,
  target: Database,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<Copied> {
  if ((await readSchemaState(source.query)).kind === "none")
    throw new CommandError("the embedded database is empty: nothing to copy")
  const [from, to] = [await migrate(source), await migrate(target)]
  if (from.newerVersion !== undefined && from.newerVersion > (to.newerVersion ?? 0)) {
    throw new CommandError(
      `the schema of the embedded database is newer than this program (version ${from.newerVersion}), so it cannot be copied: upgrade majordomo-gateway`,
    )
  }
  const copyMarks = await readJournalMarks(source)
  const keys = await copyKeys(source, target)
  await copyProviderKeys(source, target)
  await copyMetadataNames(source, target)
  const rows = await copyRequests(source, target, onProgress)
  await copyJobs(source, target)
  const repricings = await copyRepricings(source, target)
  await raiseCounters(source, target)
  await createPriceHistoryStore(target).add(await createPriceHistoryStore(source).readNew())
  await copyPriceOverrides(source, target)
  await copyReconciliations(source, target)
  await copyImports(source, target)
  await copyNotifications(source, target)
  await copyTokens(source, target)
  await copyAudit(source, target)
  const sumsLeftOut = await copyPrunedRollups(source, target)
  await copyLimits(source, target, sumsLeftOut === undefined)
  await copyArchive(source, target)
  await copyMarks(target)
  return { keys, ...rows, repricings, sumsLeftOut }
}

async function copyRequests(
  source: Database,
  target: Database,
  onProgress: (done: number, total: number) => void,
): Promise<{ readonly requests: number; readonly added: number }> {
  const cards = createCardCopy(source, target)
  let table = "llm_requests"
  let columns = await listColumns(source, table)
  const total = Number(await count(source, "llm_requests"))
  let requests = 0
  let added = 0
  onProgress(0, total)
  for (let after = "00000000-0000-0000-0000-000000000000"; ; ) {
    const { rows } = await source.query<{ batch: string; count: number; last: string | null }>({
      text: `SELECT coalesce(json_agg(r), '[]')::text AS batch, count(*)::int AS count, (array_agg(r.id ORDER BY r.id DESC))[1] AS last
        FROM (SELECT ${columns} FROM ${table} WHERE id > $1 ORDER BY id LIMIT ${ROWS_AT_ONCE}) AS r`,
      values: [after],
      timeoutMs: COPY_TIMEOUT_MS,
    })
    const { batch, count: size, last } = rows[0]!
    if (last === null) return { requests, added }
    // A card is stored before the rows that refer to it, so the source has it by now.
    if (table === "llm_requests" && !(await cards.copyFor(after, last))) {
      table = "llm_requests_full"
      columns = await listColumns(source, table)
      continue
    }
    // The text is passed on unparsed, so no number in it becomes a JavaScript number.
    const inserted = await target.query({
      text: `INSERT INTO llm_requests (${columns}) SELECT ${columns} FROM json_populate_recordset(NULL::llm_requests, $1::json)
        ON CONFLICT (id) DO NOTHING`,
      values: [batch],
      timeoutMs: COPY_TIMEOUT_MS,
    })
    after = last
    requests += size
    added += inserted.rowCount
    onProgress(requests, Math.max(requests, total))
  }
}

async function count(db: Database, table: string): Promise<string> {
  const text = `SELECT count(*) AS count FROM ${table}`
  return (await db.query<{ count: string }>({ text, timeoutMs: COPY_TIMEOUT_MS })).rows[0]!.count
}
