import { rmSync } from "node:fs"
import { openFile } from "../../archive/directory.ts"
import { isOurs, type Place, toFileName, toFolder } from "../../archive/place.ts"
import { digest, readFile } from "../../archive/read-file.ts"
import { addSums, compareSums, createSums, formatSums, parseSums } from "../../archive/sums.ts"
import { createFile, type WrittenFile } from "../../archive/write-file.ts"
import { type ArchiveFile, type ArchiveRow, listArchiveColumns, type RowPosition } from "../../core/archive-row.ts"
import type { Database } from "../../database/_database.ts"
import { type ArchivedDay, beginDay, concludeDay, readIsPruned, saveFiles } from "../../database/archive/days.ts"
import type { ArchiveLease } from "../../database/archive/lease.ts"
import { readDayRows, readLateRows, toPosition } from "../../database/archive/rows.ts"

/** About 100 MB. A file is written, read back and published as a whole. */
const ROWS_PER_FILE = 1_000_000

interface DayContext {
  readonly database: Database
  readonly lease: ArchiveLease
  readonly bodies: boolean
  /** The place of new days. */
  readonly place: string
  openPlace(title: string): Promise<Place>
  readonly signal: AbortSignal
  /** Takes the number of rows that were written since the last call. */
  onRows(count: number): void
  readonly rowsPerFile?: number
}

/** Writes what the archive lacks of a day, and compares the day with the totals of reports. It goes on where a killed run ended. */
export async function writeDay(context: DayContext, day: string): Promise<ArchivedDay> {
  const { database } = context
  const begun = await beginDay(database, { day, place: context.place, toLateFile: (n) => toFileName("late", n) })
  const writer = new DayWriter(context, day, await context.openPlace(begun.place), begun.files)
  await writer.writeParts()
  await writer.writeLateFiles(begun.lateFiles)
  const problem = await writer.checkFolder()
  const found = writer.files.map(({ sums }) => parseSums(sums)).reduce(addSums, createSums())
  return concludeDay(database, day, (expected) => {
    if (problem !== undefined) return problem
    const differences = compareSums(found, parseSums(expected))
    return differences.length === 0
      ? undefined
      : `the files differ from the totals of reports: ${differences.join(", ")}`
  })
}

class DayWriter {
  readonly files: ArchiveFile[]

  constructor(
    private readonly context: DayContext,
    private readonly day: string,
    private readonly place: Place,
    files: readonly ArchiveFile[],
  ) {
    this.files = [...files]
  }

  /** Writes the parts again that are stale, and then those that are missing. Each part begins where the one before ends. */
  async writeParts(): Promise<void> {
    const { database, bodies } = this.context
    const { day } = this
    let from: RowPosition | undefined
    const parts = this.files.filter(({ to }) => to !== undefined)
    for (const part of parts) {
      const to = part.to!
      if (part.stale) await this.write(part.name, readDayRows(database, { day, from, to, bodies }), { to })
      if (to === null) return
      from = to
    }
    // A day without requests has no file.
    const rows = lookAhead(readDayRows(database, { day, from, to: null, bodies }))
    for (let n = parts.length; (await rows.peek()) !== undefined; n++) {
      let last: RowPosition | undefined
      await this.write(
        toFileName("part", n),
        rows.take(this.context.rowsPerFile ?? ROWS_PER_FILE, (row) => (last = toPosition(row))),
        async () => ({ to: (await rows.peek()) === undefined ? null : last! }),
      )
    }
  }

  async writeLateFiles(names: readonly string[]): Promise<void> {
    const { database, bodies } = this.context
    for (const name of names) {
      const known = this.files.find((file) => file.name === name)
      if (known !== undefined && !known.stale) continue
      await this.write(name, readLateRows(database, { day: this.day, file: name, bodies }), {})
    }
  }

  /** Writes a draft, reads it back, publishes it, reads that back too, and stores the file as a file of the day. */
  private async write(
    name: string,
    rows: AsyncIterable<ArchiveRow>,
    more: Pick<ArchiveFile, "to"> | (() => Promise<Pick<ArchiveFile, "to">>),
  ): Promise<void> {
    const { database, lease, signal } = this.context
    const draft = this.place.newDraft()
    try {
      const written = await this.writeDraft(draft, rows)
      await checkDraft(draft, written)
      const isAgain = this.files.some((file) => file.name === name)
      if (isAgain && (await readIsPruned(database.query, this.day))) {
        throw new Error(`requests of ${this.day} were pruned while the archive was about to write them again`)
      }
      signal.throwIfAborted()
      await lease.renew()
      const path = `${toFolder(this.day)}/${name}`
      await this.place.publish(draft, path)
      await this.checkPublished(path, written)
      const { rows: count, bytes, sha256, sums } = written
      const file = {
        name,
        rows: count,
        bytes,
        sha256,
        sums: formatSums(sums),
        ...(await (typeof more === "function" ? more() : more)),
      }
      this.put(file)
      await saveFiles(database, { day: this.day, files: this.files, holder: lease.holder })
    } finally {
      rmSync(draft, { force: true })
    }
  }

  private put(file: ArchiveFile): void {
    const at = this.files.findIndex(({ name }) => name === file.name)
    if (at < 0) this.files.push(file)
    else this.files[at] = file
  }

  private async writeDraft(draft: string, rows: AsyncIterable<ArchiveRow>): Promise<WrittenFile> {
    const { bodies, signal, onRows } = this.context
    const file = createFile(draft, listArchiveColumns({ bodies }), this.day)
    let count = 0
    try {
      for await (const row of rows) {
        file.add(row)
        if (++count % ROWS_PER_NOTE === 0) {
          signal.throwIfAborted()
          onRows(ROWS_PER_NOTE)
        }
      }
      onRows(count % ROWS_PER_NOTE)
      return file.finish()
    } catch (error) {
      file.abort()
      throw error
    }
  }

  private async checkPublished(path: string, { bytes, sha256 }: WrittenFile): Promise<void> {
    const stored = await this.place.open(path)
    try {
      if (stored?.byteLength === bytes && (await digest(stored)) === sha256) return
    } finally {
      await stored?.close()
    }
    throw new Error(`${this.place.title}/${path} is not what was written to it`)
  }

  /** Removes files that no record names, which a killed run left. Returns what is wrong with the others. */
  async checkFolder(): Promise<string | undefined> {
    const listed = new Map<string, number>()
    for (const { name, bytes } of await this.place.list(toFolder(this.day))) {
      const short = name.slice(name.lastIndexOf("/") + 1)
      if (this.files.some((file) => file.name === short)) listed.set(short, bytes)
      else if (isOurs(short)) await this.place.remove(name)
    }
    const wrong = this.files.filter(({ name, bytes }) => listed.get(name) !== bytes).map(({ name }) => name)
    return wrong.length === 0 ? undefined : `missing or of another size: ${wrong.join(", ")}`
  }
}

const ROWS_PER_NOTE = 1_000

/** Reads a draft back: every value of every row must be what was written. */
async function checkDraft(draft: string, written: WrittenFile): Promise<void> {
  const file = await openFile(draft)
  try {
    const found = await readFile(file)
    if (found.content === written.content && found.rows === written.rows) return
  } finally {
    await file.close()
  }
  throw new Error("a Parquet file does not contain what was written to it; please report this error")
}

interface Ahead {
  peek(): Promise<ArchiveRow | undefined>
  /** Yields at most `count` rows. */
  take(count: number, onRow: (row: ArchiveRow) => void): AsyncGenerator<ArchiveRow>
}

/** Makes it possible to see whether there is another row. */
function lookAhead(rows: AsyncGenerator<ArchiveRow>): Ahead {
  let next: Promise<IteratorResult<ArchiveRow>> | undefined
  const peek = async () => {
    next ??= rows.next()
    const { done, value } = await next
    return done ? undefined : (value as ArchiveRow)
  }
  return {
    peek,
    async *take(count, onRow) {
      for (let n = 0; n < count; n++) {
        const row = await peek()
        if (row === undefined) return
        next = undefined
        onRow(row)
        yield row
      }
    },
  }
}
