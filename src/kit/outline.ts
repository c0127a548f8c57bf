import { FormOutline } from "./form-outline.ts"
import { JsonOutline } from "./json-outline.ts"

/** What is kept of a body that is too large to be held, so that what is asked of the whole can be asked of it. */
export interface Outline {
  /** The next bytes of the whole. */
  push(piece: Buffer): void
  /** All that is kept. */
  bytes(): Buffer
  /** Where a byte that is kept stands in the whole. */
  toOffset(at: number): number
}

/** The outline of what begins so: of a JSON object its members, of a form the beginning of each part, else nothing. */
export function createOutline(beginning: Buffer): Outline {
  const first = firstByte(beginning)
  if (first === 123) return new JsonOutline()
  if (first === 45) return new FormOutline(beginning)
  return NONE
}

const NONE: Outline = {
  push() {},
  bytes: () => Buffer.alloc(0),
  toOffset: (at) => at,
}

function firstByte(bytes: Buffer): number | undefined {
  let at = bytes[0] === 0xef && bytes[1] === 0xbb ? 3 : 0
  while (at < bytes.length && bytes[at]! <= 32) at++
  return bytes[at]
}
