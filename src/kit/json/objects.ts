/** A piece of a file that should be one JSON object, and the line on which it begins, from 1. */
export interface ObjectText {
  readonly text: string
  readonly line: number
}

/** Splits a file with one JSON value on each line, which arrives in pieces of any size. Empty lines are left out. */
export class JsonLineReader {
  private parts: string[] = []
  private line: number

  constructor() {
    this.line = 1
  }

  /** Yields the lines that are complete. `isLast` says that no more text follows. */
  *read(piece: string, isLast: boolean): Generator<ObjectText> {
    const lines = piece.split("\n")
    for (const [at, text] of lines.entries()) {
      this.parts.push(text)
      if (at === lines.length - 1 && !isLast) return
      const whole = this.parts.join("").trim()
      const { line } = this
      this.parts = []
      this.line++
      if (whole !== "") yield { text: whole, line }
    }
  }
}

const QUOTE = 34
const BACKSLASH = 92
const OPEN = 123
const CLOSE = 125
const LF = 10

/**
 * Finds the outermost objects of a JSON document that arrives in pieces of any size: those of an array, or the document itself.
 * Each character is looked at once, and only the object that is being read is in memory.
 */
export class JsonObjectReader {
  private parts: string[] = []
  private depth = 0
  private isInText = false
  private isEscaped = false
  private line = 1
  private startLine = 1

  /** Whether an object has begun and has not ended. */
  get isInside(): boolean {
    return this.depth > 0
  }

  /** The number of characters of the object that is being read. */
  get length(): number {
    return this.parts.reduce((sum, part) => sum + part.length, 0)
  }

  /** Yields the objects that are complete. */
  *read(piece: string): Generator<ObjectText> {
    let start = 0
    for (let at = 0; at < piece.length; at++) {
      const code = piece.charCodeAt(at)
      if (code === LF) this.line++
      if (this.isInText) this.readText(code)
      else if (code === QUOTE) this.isInText = true
      else if (code === OPEN && this.depth++ === 0) {
        start = at
        this.startLine = this.line
      } else if (code === CLOSE && this.depth > 0 && --this.depth === 0) {
        this.parts.push(piece.slice(start, at + 1))
        yield { text: this.parts.join(""), line: this.startLine }
        this.parts = []
      }
    }
    if (this.depth > 0) this.parts.push(piece.slice(start))
  }

  private readText(code: number): void {
    if (this.isEscaped) this.isEscaped = false
    else if (code === BACKSLASH) this.isEscaped = true
    else if (code === QUOTE) this.isInText = false
  }
}
