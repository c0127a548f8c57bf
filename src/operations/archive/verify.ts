import type { Place } from "../../archive/place.ts"
import { toFolder } from "../../archive/place.ts"
import { digest, readFile } from "../../archive/read-file.ts"
import { addSums, compareSums, createSums, parseSums, type SumUnits } from "../../archive/sums.ts"
import type { ArchiveFile } from "../../core/archive-row.ts"
import { type ArchivedDay, listArchivedDays, readArchiveId, readExpected } from "../../database/archive/days.ts"
import type { Context } from "../context.ts"
import { openPlace } from "./place.ts"

interface VerifyInput {
  /** Days from this one on, UTC; undefined: all. */
  readonly since: string | undefined
}

interface ArchiveVerifyResult {
  /** Every file is there and unchanged, and the days agree with the totals of reports. */
  readonly balanced: boolean
  readonly days: number
  readonly files: number
  readonly rows: number
  /** Days that are not complete yet: the next run of the archive writes them. */
  readonly unfinished: readonly string[]
  readonly differences: readonly { readonly day: string; readonly problem: string }[]
}

/** Reads every file of the archive again, and compares it with what was written and with the totals of reports. */
export async function verifyArchive(
  { database, settings, onProgress }: Context<"database" | "settings" | "onProgress">,
  { since }: VerifyInput,
): Promise<ArchiveVerifyResult> {
  const all = await listArchivedDays(database.query)
  const days = all.filter(({ day }) => since === undefined || day >= since)
  const total = days.reduce((sum, { rows }) => sum + rows, 0)
  const archiveId = await readArchiveId(database.query)
  const places = new Map<string, Place>()
  const differences: { day: string; problem: string }[] = []
  let done = 0
  onProgress(0, total)
  try {
    for (const day of days) {
      const place = places.get(day.place) ?? (await openPlace(day.place, settings, archiveId))
      places.set(day.place, place)
      const problems = await verifyDay(database, place, day, (rows) => {
        done += rows
        onProgress(done, total)
      })
      differences.push(...problems.map((problem) => ({ day: day.day, problem })))
    }
  } finally {
    for (const place of places.values()) place.close()
  }
  return {
    balanced: differences.length === 0,
    days: days.length,
    files: days.reduce((sum, { files }) => sum + files.length, 0),
    rows: total,
    unfinished: days.filter(({ status }) => status !== "verified").map(({ day }) => day),
    differences,
  }
}

async function verifyDay(
  database: Context<"database">["database"],
  place: Place,
  { day, files, status }: ArchivedDay,
  onRows: (count: number) => void,
): Promise<readonly string[]> {
  const problems: string[] = []
  let found = createSums()
  for (const file of files) {
    const read = await verifyFile(place, day, file)
    if (typeof read === "string") problems.push(`${file.name} ${read}`)
    else found = addSums(found, read)
    onRows(file.rows)
  }
  // A day that is not complete differs from the totals until the next run.
  if (problems.length > 0 || status !== "verified") return problems
  const expected = await readExpected(database.query, day)
  if (expected.status !== "verified" || expected.sums === undefined) return problems
  return compareSums(found, parseSums(expected.sums)).map(
    (difference) => `differs from the totals of reports: ${difference}`,
  )
}

/** Returns the sums of a file, or what is wrong with it. */
async function verifyFile(place: Place, day: string, file: ArchiveFile): Promise<SumUnits | string> {
  const stored = await place.open(`${toFolder(day)}/${file.name}`)
  if (stored === undefined) return "is missing"
  try {
    if (stored.byteLength !== file.bytes || (await digest(stored)) !== file.sha256) return "is not what was written"
    const { sums } = await readFile(stored)
    return compareSums(sums, parseSums(file.sums)).length === 0 ? sums : "has other sums than when it was written"
  } catch (error) {
    return `cannot be read: ${(error as Error).message}`
  } finally {
    await stored.close()
  }
}
