import type { QuotedName } from "../kit/json/quoted-name.ts"
import { stringEnd } from "../kit/json/tokenizer.ts"
import type { RepeatedEvent } from "../kit/repeated-events.ts"
import { addLength, type TextLength, tokensOfLength } from "./_text-length.ts"

const QUOTE = 34

/** The arguments of tool calls are JSON, whose tokens are shorter than those of English. */
const ARGUMENT_ASCII_PER_TOKEN = 3
/** The most of a stream's text that is kept for a tokenizer. The rest is counted by its length. */
const MAX_KEPT_BYTES = 16 * 1024
/** A piece below this length comes from a server that sends one token at a time, so its event has nothing else. */
export const SHORT_PIECE_BYTES = 64

const NO_BYTES = Buffer.alloc(0)

/**
 * The encrypted form of reasoning: `overhead` bytes of base64, and about `perToken` for each token of the text. Measured
 * over recorded answers with reported reasoning on 2026-11-28.
 */
interface EncryptedForm {
  readonly overhead: number
  readonly perToken: number
}

export const ENCRYPTED = {
  openai: { overhead: 1000, perToken: 7.2 },
  gemini: { overhead: 80, perToken: 6.1 },
  anthropic: { overhead: 250, perToken: 5.9 },
} as const satisfies Readonly<Record<string, EncryptedForm>>

/** The length of one kind of output, and the number of the pieces in which it came. */
class Counted {
  readonly length: TextLength = { ascii: 0, wide: 0 }
  pieces = 0

  /** Servers that send one token per piece are counted by their pieces. */
  tokens(asciiPerToken?: number): number {
    return Math.max(this.pieces, tokensOfLength(this.length, asciiPerToken))
  }
}

/**
 * Counts what a model generates in the events of one stream: text, reasoning and tool calls. It is needed where the
 * stream ends without its usage.
 */
export class TextCounter {
  /** The number of tool calls that have begun. */
  calls = 0
  /** The model reasoned, and its stream says so without the text. */
  hasHiddenReasoning = false
  /** The index of the opening quote of the only text in the last event; -1: it has more, or none. */
  onlyTextAt = -1
  private lastTextAt = -1
  /** The tokens of hidden reasoning, by the length of its encrypted form; 0: there is none in the stream. */
  encryptedReasoning = 0
  private readonly text = new Counted()
  private readonly toolArguments = new Counted()
  private readonly toolNames = new Counted()
  private keptText = NO_BYTES
  private keptBytes = 0
  private allBytes = 0

  /** Returns whether any text was generated. */
  get hasText(): boolean {
    return this.text.pieces > 0
  }

  /** Returns whether anything was generated. */
  get hasOutput(): boolean {
    return this.hasText || this.toolArguments.pieces > 0 || this.calls > 0
  }

  /** Returns the text so far, up to a bound, with its JSON escapes. `all` is the length of the whole text in bytes. */
  kept(): { readonly text: Buffer; readonly all: number } {
    return { text: this.keptText.subarray(0, this.keptBytes), all: this.allBytes }
  }

  /**
   * Counts the first of these members that holds text. Returns the length of the text in bytes; 0: none of them does.
   * @param from where the search begins
   */
  addText(data: Buffer, names: readonly QuotedName[], from = 0): number {
    for (const name of names) {
      const at = name.indexOf(data, from)
      const length = at < 0 ? 0 : this.addValue(data, at + name.length, this.text)
      if (length > 0) return length
    }
    return 0
  }

  /** Notes that the last event has nothing that counts but the text that was added last. */
  markOnlyText(): void {
    this.onlyTextAt = this.lastTextAt
  }

  /**
   * Counts the text of an event that is like one with an only text.
   * @param maxBytes of a longer text, and of an empty one, the event has to be searched: returns false
   */
  addRepeated({ bytes, textStart, textEnd }: RepeatedEvent, maxBytes = Number.POSITIVE_INFINITY): boolean {
    const length = textEnd - textStart
    if (length === 0 || length > maxBytes) return false
    this.text.pieces++
    addLength(bytes, textStart, textEnd, this.text.length)
    this.keep(bytes, textStart, textEnd)
    return true
  }

  /** Counts every member of this name that holds text. Returns their number. */
  addAllText(data: Buffer, name: QuotedName, from = 0): number {
    return this.addAll(data, name, from, this.text)
  }

  /** Counts every member of this name that holds the arguments of a tool call. */
  addArguments(data: Buffer, name: QuotedName, from = 0): void {
    this.addAll(data, name, from, this.toolArguments)
  }

  /** Counts every member of this name that names the tool of a call. */
  addToolNames(data: Buffer, name: QuotedName, from = 0): void {
    this.calls += this.addAll(data, name, from, this.toolNames)
  }

  /** Counts a text that was parsed; any other value is none. */
  addParsedText(text: unknown): void {
    if (typeof text === "string") this.addValue(Buffer.from(JSON.stringify(text)), 0, this.text)
  }

  /** Counts a tool call that was parsed. Arguments that are text are JSON. */
  addParsedCall(name: string, toolArguments: unknown): void {
    if (this.addValue(Buffer.from(JSON.stringify(name)), 0, this.toolNames) > 0) this.calls++
    const text = typeof toolArguments === "string" ? toolArguments : JSON.stringify(toolArguments)
    if (text !== undefined) this.addValue(Buffer.from(JSON.stringify(text)), 0, this.toolArguments)
  }

  /** Notes reasoning whose encrypted form stands in this member. A short form, such as a placeholder, says nothing. */
  addEncrypted(data: Buffer, name: QuotedName, form: EncryptedForm): void {
    const at = name.indexOf(data)
    const start = at < 0 ? -1 : data.indexOf(QUOTE, at + name.length)
    const end = start < 0 ? -1 : stringEnd(data, start)
    if (end >= 0) this.addEncryptedLength(end - start - 2, form)
  }

  /** Notes reasoning whose encrypted form has this length in bytes. */
  addEncryptedLength(length: number, { overhead, perToken }: EncryptedForm): void {
    if (length <= 0) return
    this.hasHiddenReasoning = true
    this.encryptedReasoning += Math.max(0, Math.round((length - overhead) / perToken))
  }

  /** Returns the approximate number of tokens so far. `tokensPerCall` is what the model writes around each tool call. */
  tokens(tokensPerCall: number): number {
    const toolArguments = this.toolArguments.tokens(ARGUMENT_ASCII_PER_TOKEN)
    return this.text.tokens() + toolArguments + tokensOfLength(this.toolNames.length) + this.calls * tokensPerCall
  }

  /** Returns how many members of this name hold text. */
  private addAll(data: Buffer, name: QuotedName, from: number, counted: Counted): number {
    let members = 0
    for (let at = name.indexOf(data, from); at >= 0; at = name.indexOf(data, at + name.length)) {
      if (this.addValue(data, at + name.length, counted) > 0) members++
    }
    return members
  }

  /** Counts the text that begins at `from`, or after white space and a colon. Returns its length; 0: there is none. */
  private addValue(data: Buffer, from: number, counted: Counted): number {
    let start = from
    while (start < data.length && (data[start]! <= 32 || data[start] === 58)) start++
    const end = data[start] === QUOTE ? stringEnd(data, start) : -1
    // The event of a tool call has an empty content beside it.
    if (end - start <= 2) return 0
    this.lastTextAt = start
    counted.pieces++
    addLength(data, start + 1, end - 1, counted.length)
    this.keep(data, start + 1, end - 1)
    return end - start - 2
  }

  private keep(data: Buffer, from: number, to: number): void {
    this.allBytes += to - from
    const needed = this.keptBytes + to - from
    if (needed > MAX_KEPT_BYTES) return
    if (needed > this.keptText.length) {
      const larger = Buffer.allocUnsafe(Math.min(MAX_KEPT_BYTES, Math.max(512, 2 * needed)))
      this.keptText.copy(larger, 0, 0, this.keptBytes)
      this.keptText = larger
    }
    data.copy(this.keptText, this.keptBytes, from, to)
    this.keptBytes = needed
  }
}
