/** One file of a log. */
export interface Segment {
  readonly number: number
  readonly path: string
  /** Length of its whole records. What follows is torn, by a write that failed or was interrupted, and never read. */
  bytes: number
  /** The reader has acknowledged everything before this offset. */
  consumed: number
  /** Records that the reader has not acknowledged. */
  waiting: number
  fd: number | undefined
  /** Reading it has failed, so its file is kept for a person to look at. */
  isUnreadable?: boolean
  /** The size of a segment that was allocated beforehand and is written in place. Zeros follow its records. */
  readonly room: number | undefined
}

/** The end of the name of a file that could not be read. No log reads it again. */
export const UNREADABLE_EXTENSION = ".unreadable"

const NAME = /^(\d{12})(\.\w+)$/

/** Returns the file name of a segment, such as `000000000001.jsonl`. */
export function toSegmentName(number: number, extension: string): string {
  return `${String(number).padStart(12, "0")}${extension}`
}

/** Returns the number in the name of a segment, or `undefined` for any other file. */
export function numberOfSegment(name: string, extension: string): number | undefined {
  const [, digits, itsExtension] = NAME.exec(name) ?? []
  return itsExtension === extension ? Number(digits) : undefined
}
