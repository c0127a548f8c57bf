import type { Outline } from "../outline.ts"
import { resumeString, stringEnd } from "./tokenizer.ts"

const QUOTE = 34
const BACKSLASH = 92
const BRACE = 123
/** Kept of each text: more than the longest value that is ever read of a member (members.ts: 4,096 bytes). */
const TEXT_BYTES = 8 * 1024
/** Kept of each member of the outermost object. */
const VALUE_BYTES = 64 * 1024
/**
 * The most that is kept of a body. A body that needs more gets an empty outline, because its end might repeat a member
 * with another value. No real request needs so much.
 */
const OUTLINE_BYTES = 1024 * 1024
/** The most that is read at once, so that a long value without texts can be left out from its middle on. */
const STEP_BYTES = 16 * 1024

/**
 * The outline of a JSON object of any size, from pieces of any size: every member of the outermost object, in order, with
 * long texts and long values truncated. `findMembers` (members.ts) finds the same in it as in the whole.
 */
export class JsonOutline implements Outline {
  private kept = Buffer.allocUnsafe(STEP_BYTES)
  private keptBytes = 0
  /** Where bytes are missing: the position in the outline, and the number of bytes missing up to there. */
  private readonly gaps: { readonly at: number; missing: number }[] = []
  private depth = 0
  private valueBytes = 0
  /** Nothing is kept from this depth on; 0: everything is kept. */
  private skipDepth = 0
  /** The negative result of `stringEnd` for the text that goes on in the next piece; 0: it has just begun. */
  private textState = 0
  private inText = false
  private textBytes = 0

  push(piece: Buffer): void {
    let at = 0
    while (at < piece.length && this.keptBytes < OUTLINE_BYTES) {
      at = this.inText ? this.readText(piece, at) : this.readMarks(piece, at)
    }
  }

  bytes(): Buffer {
    return this.keptBytes < OUTLINE_BYTES ? this.kept.subarray(0, this.keptBytes) : Buffer.alloc(0)
  }

  toOffset(at: number): number {
    return at + (this.gaps.findLast((gap) => gap.at <= at)?.missing ?? 0)
  }

  /** Reads what stands between two texts. Returns the position after it. */
  private readMarks(piece: Buffer, from: number): number {
    if (this.skipDepth === 0 && this.depth > 1 && this.valueBytes > VALUE_BYTES) this.skipDepth = this.depth
    const end = Math.min(piece.length, from + STEP_BYTES)
    let start = from
    for (let at = from; at < end; at++) {
      const byte = piece[at]!
      if (byte === QUOTE) {
        this.take(piece, start, at)
        this.textState = 0
        this.inText = true
        this.textBytes = 0
        return at
      }
      if (byte === BRACE || byte === 91) this.depth++
      else if (byte === 125 || byte === 93) {
        this.depth--
        // The brackets that close a skipped value are kept, so that the outline is balanced.
        if (this.depth !== 1 && this.depth >= this.skipDepth) continue
        this.take(piece, start, at)
        this.keep(piece, at, at + 1)
        start = at + 1
        this.skipDepth = this.skipDepth > 0 && this.depth > 1 ? this.depth : 0
        if (this.depth === 1) this.valueBytes = 0
      }
    }
    this.take(piece, start, end)
    return end
  }

  /** Reads a text with its quotes, or as much of it as this piece has. Returns the position after it. */
  private readText(piece: Buffer, from: number): number {
    const behind = this.textState === 0 ? stringEnd(piece, from) : resumeString(piece, this.textState)
    this.textState = behind
    const end = behind < 0 ? piece.length : behind - 1
    const keptEnd = Math.min(end, from + Math.max(0, TEXT_BYTES - this.textBytes))
    this.textBytes += end - from
    this.take(piece, from, keptEnd)
    if (keptEnd < end) {
      this.dropEscape()
      this.leaveOut(end - keptEnd)
    }
    if (behind < 0) return end
    this.inText = false
    this.take(piece, end, behind)
    return behind
  }

  /** Removes a backslash at the end of a truncated text, because it would escape the closing quote. */
  private dropEscape(): void {
    let first = this.keptBytes
    while (first > 0 && this.kept[first - 1] === BACKSLASH) first--
    if ((this.keptBytes - first) % 2 === 0) return
    this.keptBytes--
    this.leaveOut(1)
  }

  private take(piece: Buffer, from: number, to: number): void {
    if (this.skipDepth > 0) this.leaveOut(to - from)
    else this.keep(piece, from, to)
  }

  private keep(piece: Buffer, from: number, to: number): void {
    const needed = this.keptBytes + to - from
    if (needed > this.kept.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.kept.length))
      this.kept.copy(larger, 0, 0, this.keptBytes)
      this.kept = larger
    }
    piece.copy(this.kept, this.keptBytes, from, to)
    this.keptBytes = needed
    if (this.depth > 1) this.valueBytes += to - from
  }

  private leaveOut(bytes: number): void {
    if (bytes === 0) return
    const last = this.gaps.at(-1)
    if (last?.at === this.keptBytes) last.missing += bytes
    else this.gaps.push({ at: this.keptBytes, missing: (last?.missing ?? 0) + bytes })
  }
}
