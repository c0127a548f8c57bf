import { readRuntimeEnvironment } from "../config/runtime-environment.ts"
import { CommandError } from "../core/errors.ts"
import { toMessage, toPrintableJson, wrapProse } from "./_text.ts"

const CLEAR = "\u001b[H\u001b[2J"
/** A terminal's second screen has no history: what was on the first one, and above it, stays as it was. */
const SECOND_SCREEN = { enter: "\u001b[?1049h", leave: "\u001b[?1049l" } as const

let clearsNext = false
/** The text on the second screen; undefined: that screen is not in use. */
let shown: string | undefined

/** Clears the terminal, if stdout is one, when the next output is ready. Until then the last one stays readable. */
export function clearBeforeNext(): void {
  clearsNext = process.stdout.isTTY === true
}

/** Ends what `clearBeforeNext` began. The last output stays, below what was on the terminal before. */
export function endClearing(): void {
  if (shown !== undefined) process.stdout.write(SECOND_SCREEN.leave + shown)
  clearsNext = false
  shown = undefined
}

function clear(): void {
  if (clearsNext) {
    process.stdout.write((shown === undefined ? SECOND_SCREEN.enter : "") + CLEAR)
    shown = ""
  }
  clearsNext = false
}

/** Writes data to stdout, followed by a newline unless it ends with one. Nothing but data goes to stdout. */
export function print(text: string): void {
  clear()
  const lines = text.endsWith("\n") ? text : `${text}\n`
  if (shown !== undefined) shown += lines
  process.stdout.write(lines)
}

/** Writes one of many pieces of data to stdout. The promise resolves when the reader has taken it. */
export function printPiece(piece: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => process.stdout.write(piece, (error) => (error ? reject(error) : resolve())))
}

/**
 * Writes a text with a secret that cannot be shown again. When stdout does not take it, calls `discard`, which makes the
 * secret worthless.
 *
 * @throws CommandError that says why the secret could not be shown
 */
export async function printSecret(text: string, discard: () => Promise<void>, noun = "key"): Promise<void> {
  const { stdout } = process
  const listeners = stdout.listeners("error") as ((error: Error) => void)[]
  // The usual listener ends the process, before the secret is discarded.
  stdout.removeAllListeners("error").on("error", () => {})
  try {
    await printPiece(text.endsWith("\n") ? text : `${text}\n`)
  } catch (error) {
    await discard()
    throw new CommandError(
      `the new ${noun} could not be shown (${(error as Error).message}), so it was deleted: try again`,
    )
  }
  stdout.removeAllListeners("error")
  for (const listener of listeners) stdout.on("error", listener)
}

/** Prints one JSON value, over several lines unless `shape` is given. Invisible characters are escaped. */
export function printJson(value: unknown, shape?: "one line"): void {
  print(toPrintableJson(value, shape ? undefined : 2))
}

/** A terminal breaks words in their middle. */
export function wrapMessage(message: string): string {
  return process.stderr.isTTY === true ? wrapProse(message, Math.max(40, process.stderr.columns || 80)) : message
}

/** Writes a message for people to stderr, where a program that reads the data does not have to skip it. */
export function printMessage(text: string): void {
  clear()
  const message = wrapMessage(toMessage(text))
  process.stderr.write(message.endsWith("\n") ? message : `${message}\n`)
}

/** The capabilities of stdout. */
export interface Screen {
  /** The number of columns; undefined if stdout is no terminal, so that lines may have any length. */
  readonly width: number | undefined
  readonly color: boolean
  /** Bars and boxes can be drawn. */
  readonly drawing: boolean
}

export function findScreen(): Screen {
  const { noColor } = readRuntimeEnvironment()
  const isTerminal = process.stdout.isTTY === true
  const width = isTerminal ? Math.max(40, process.stdout.columns || 80) : undefined
  return { width, color: isTerminal && !noColor, drawing: isTerminal && !noColor }
}

/**
 * Ends the process without an error when the reader of the output has left, as in `majordomo usage | head`, and with one
 * line when the output cannot be written, as to a full disk.
 */
export function exitOnBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(process.exitCode ?? 0)
      if (stream === process.stdout) {
        process.stderr.write(`error: the output cannot be written (${error.code ?? error.message})\n`)
      }
      process.exit(1)
    })
  }
}
