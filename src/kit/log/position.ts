/** A place in a log. */
export interface Position {
  readonly segment: number
  /** In bytes from the beginning of the segment. */
  readonly offset: number
}

/** Returns the position that a value from the disk describes, or `undefined` when it is none. */
export function toPosition(value: unknown): Position | undefined {
  const { segment, offset } = (value ?? {}) as Partial<Position>
  if (!Number.isSafeInteger(segment) || !Number.isSafeInteger(offset)) return undefined
  return { segment: segment as number, offset: offset as number }
}
