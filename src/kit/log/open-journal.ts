/*
 * The journal: rows that must not be lost. Each is on the disk when appending it returns, and stays there until its
 * reader has acknowledged it.
 *
 *   DIRECTORY/                 0700
 *     000000000001.jsonl       0600: segments, append only, one JSON object per line, readable with jq
 *     000000000002.jsonl       the newest is written, the oldest is read; at most one torn line, at the very end
 *     counters.json            the reader's position, and what became of the rows (counter-file.ts); may lag, may be missing
 *     reserve-1 …              zeros: space for the lines that are written while the disk is full (reserve.ts)
 *     damaged.jsonl            lines that the disk has damaged
 *
 * There are two kinds of lines. Both end with the checksum of the bytes before it (checksum.ts).
 *
 *   {"id":"ID",…,"crc":"1c291ca3"}              a row
 *   {"begin":{"id":"ID",…,"crc":"1c291ca3"}}    the intent to append the row with that id
 *
 * An intent without its row, when the journal is opened, is what remains of work whose process died.
 *
 * One write(2) stores a whole line, so the line survives the end of this process in any way. Files are synced in
 * groups, so a power cut loses at most `syncIntervalMs` of lines. A process never appends to a segment of an earlier
 * one: a line that the earlier one tore stays at the end of its file and is never read. The cursor is written from time
 * to time, so after a kill the reader gets some lines twice and recognizes them by their id. A segment whose lines are
 * all acknowledged is deleted, after its open intents have been appended again.
 *
 * When the disk rejects a write, a file of the reserve becomes the live segment. It is written in place, so a full disk
 * does not matter. When all its rows are acknowledged, it returns to the reserve. As soon as the disk has room for the
 * whole reserve, an ordinary segment follows.
 */
import { mkdirSync, rmSync } from "node:fs"
import { basename, join } from "node:path"
import { CounterFile } from "./counter-file.ts"
import { OLD_CURSOR_FILE, readCursor } from "./cursor.ts"
import { setAside } from "./damaged.ts"
import { JOURNAL_EXTENSION, Journal } from "./journal.ts"
import type { JournalOptions } from "./journal-options.ts"
import { toPosition } from "./position.ts"
import { recoverJournal } from "./recover.ts"
import { Reserve } from "./reserve.ts"
import { UNREADABLE_EXTENSION } from "./segment.ts"

/** Opens the journal of a directory and recovers what earlier processes left in it. */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { dir } = options
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const lock = await options.lock?.(dir)
  const isHeld = () => lock === undefined || lock.isHeld()
  let counters: CounterFile | undefined
  try {
    counters = new CounterFile(dir, options.onError, isHeld)
    const cursor = await readCursor(dir)
    const { end, first, settled } = counters.stored ?? {}
    const reserve = new Reserve(dir, options.maxBytes)
    const positions = {
      cursor,
      end: toPosition(end),
      first: Number(first ?? 0),
      settled: Array.isArray(settled) ? settled : [],
      reserveBytes: reserve.fileBytes,
    }
    const recovered = await recoverJournal(dir, JOURNAL_EXTENSION, positions)
    for (const { path, error } of recovered.unreadable) {
      options.onError(error, `reading ${path}, which is kept as ${basename(path)}${UNREADABLE_EXTENSION},`)
    }
    if (recovered.damagedIntents.length > 0) options.onDamaged(setAside(dir, recovered.damagedIntents))
    const lastNumber = Math.max(cursor?.segment ?? 0, recovered.segments.at(-1)?.number ?? 0)
    const journal = new Journal(options, { isHeld, lock, counters, reserve }, { ...recovered, lastNumber })
    rmSync(join(dir, OLD_CURSOR_FILE), { force: true })
    return journal
  } catch (error) {
    await counters?.abandon()
    await lock?.release()
    throw error
  }
}
