import { hostname } from "node:os"
import type { Place } from "../../archive/place.ts"
import { CommandError } from "../../core/errors.ts"
import { recordChange } from "../../database/access/audit.ts"
import { type ArchivedDay, listUnarchivedDays, readArchiveId, requireArchive } from "../../database/archive/days.ts"
import { type ArchiveLease, takeArchiveLease } from "../../database/archive/lease.ts"
import type { Context } from "../context.ts"
import { toFinishedDay } from "./finished-day.ts"
import { type DaySummary, toDaySummary } from "./list.ts"
import { openPlace, requirePlace } from "./place.ts"
import { writeDay } from "./write-day.ts"

export interface ArchiveInput {
  /** Days before this one (UTC, `2026-11-28`) are written, as far as they are finished; undefined: all that are finished. */
  readonly before: string | undefined
}

export interface ArchiveResult {
  /** Where new days are written. */
  readonly place: string
  /** Days before this one were written. */
  readonly before: string
  readonly rows: number
  /** The days that this run wrote or completed, the oldest first. */
  readonly days: readonly DaySummary[]
}

export type ArchiveContext = Context<"database" | "settings" | "now" | "log" | "onProgress" | "actor"> & {
  readonly signal: AbortSignal
  /** For tests. */
  readonly rowsPerFile?: number
}

/** Another process writes the archive at the moment. */
export class ArchiveBusy extends CommandError {}

/**
 * Writes all finished days that are not verified in the archive yet. A day is finished when it has ended
 * `archive.settle` ago. Progress is in requests.
 *
 * @throws ArchiveBusy if another process writes the archive
 */
export async function archive(context: ArchiveContext, input: ArchiveInput): Promise<ArchiveResult> {
  const { database, settings } = context
  const place = requirePlace(settings)
  await requireArchive(database.query, settings.archive.beforePrune)
  const before = toBefore(context, input)
  const lease = await takeArchiveLease(database, `${hostname()}, process ${process.pid}`)
  if ("heldBy" in lease) throw new ArchiveBusy(`${lease.heldBy} writes the archive at the moment: try again later`)
  const places = createPlaces(context, await readArchiveId(database.query))
  try {
    await (await places.open(place)).cleanUp()
    const days = await writeDays(context, { place, before, lease, openPlace: places.open })
    const rows = days.reduce((sum, day) => sum + day.written, 0)
    if (days.length > 0) {
      const after = { place, before, days: days.length, rows }
      await database.transaction((query) =>
        recordChange(query, context.actor, { action: "archive", target: null, after }),
      )
    }
    return { place, before, rows, days: days.map(({ day }) => toDaySummary(day)) }
  } finally {
    places.close()
    await lease.release()
  }
}

/** Returns the day before which days are finished, or the earlier one that was asked for. */
function toBefore({ now, settings }: Pick<ArchiveContext, "now" | "settings">, { before }: ArchiveInput): string {
  const finished = toFinishedDay(now(), settings.archive.settleMs)
  return before !== undefined && before < finished ? before : finished
}

function createPlaces({ settings }: Pick<ArchiveContext, "settings">, archiveId: string) {
  const opened = new Map<string, Promise<Place>>()
  return {
    open(title: string): Promise<Place> {
      const place = opened.get(title) ?? openPlace(title, settings, archiveId)
      opened.set(title, place)
      return place
    },
    close() {
      for (const place of opened.values()) place.then((open) => open.close()).catch(() => {})
    },
  }
}

interface Work {
  readonly place: string
  readonly before: string
  readonly lease: ArchiveLease
  openPlace(title: string): Promise<Place>
}

async function writeDays(
  context: ArchiveContext,
  { before, ...work }: Work,
): Promise<readonly { readonly day: ArchivedDay; readonly written: number }[]> {
  const { database, settings, log, onProgress, signal, rowsPerFile } = context
  const names = await listUnarchivedDays(database.query, before)
  const total = await countRows(context, names)
  let done = 0
  onProgress(0, total)
  const days: { day: ArchivedDay; written: number }[] = []
  for (const name of names) {
    signal.throwIfAborted()
    const start = done
    const onRows = (count: number) => {
      done += count
      onProgress(done, Math.max(done, total))
    }
    const { bodies } = settings.archive
    const day = await writeDay({ ...work, database, bodies, signal, onRows, ...(rowsPerFile && { rowsPerFile }) }, name)
    if (day.problem !== null) log(`archive: ${name}: ${day.problem}`)
    days.push({ day, written: done - start })
  }
  return days
}

/** Counts the requests of the days by their rollups, for the progress. */
async function countRows({ database }: Pick<ArchiveContext, "database">, days: readonly string[]): Promise<number> {
  const { rows } = await database.query<{ count: string }>({
    text: "SELECT coalesce(sum(requests), 0)::text AS count FROM llm_usage_daily WHERE day = ANY ($1::date[])",
    values: [days],
  })
  return Number(rows[0]!.count)
}
