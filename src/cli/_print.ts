import { readRuntimeEnvironment } from "../config/runtime-environment.ts"

/** Data, and nothing else, goes to stdout. */
export function print(text: string): void {
  process.stdout.write(text.endsWith("\n") ? text : `${text}\n`)
}

/** Data that comes in many pieces, or is not text: settles when it is taken, so that nothing piles up. */
export function printPiece(piece: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => process.stdout.write(piece, (error) => (error ? reject(error) : resolve())))
}

/**
 * One JSON value, over several lines unless all is to be on `one line`. C1 control characters, which JSON leaves as they
 * are and terminals obey, are written as escapes.
 */
export function printJson(value: unknown, shape?: "one line"): void {
  const toEscape = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  print(JSON.stringify(value, undefined, shape ? undefined : 2).replace(/[\x7f-\x9f\u2028\u2029]/g, toEscape))
}

/** Talk: what a person should know and a program should not have to skip. */
export function say(text: string): void {
  process.stderr.write(text.endsWith("\n") ? text : `${text}\n`)
}

/** What stdout can show. */
export interface Screen {
  /** Undefined: not a terminal, lines may be as long as they like. */
  readonly width: number | undefined
  readonly colour: boolean
  /** Bars and boxes. */
  readonly drawing: boolean
}

export function findScreen(): Screen {
  const { noColor } = readRuntimeEnvironment()
  const isTerminal = process.stdout.isTTY === true
  const width = isTerminal ? Math.max(40, process.stdout.columns || 80) : undefined
  return { width, colour: isTerminal && !noColor, drawing: isTerminal && !noColor }
}
