/** One file of the journal. */
export interface Segment {
  readonly number: number
  readonly path: string
  /** Length of its whole lines; what follows is torn and never read. */
  bytes: number
  /** All before it is taken away. */
  taken: number
  /** Its lines (begin lines and blanks apart) that are not acknowledged. */
  waiting: number
  fd: number | undefined
}

const NAME = /^(\d{12})\.jsonl$/

export function toSegmentName(number: number): string {
  return `${String(number).padStart(12, "0")}.jsonl`
}

/** Undefined for a file that is no segment. */
export function numberOfSegment(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}
