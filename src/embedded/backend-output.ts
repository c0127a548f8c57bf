import { toMessage } from "./wire.ts"

/** Reads along with what the backend answers to one unit, and passes on what the client should see of it. */
export interface OutputFilter {
  /** The part of `chunk`, and of what was held back before it, that belongs to the client. */
  pass(chunk: Buffer): Buffer[]
}

export interface OutputEvents {
  /** ReadyForQuery: `I` idle, `T` in a transaction, `E` in a failed one. */
  onReady(status: string): void
  /** A NotificationResponse, whole, and its channel. It is kept out of the client's bytes. */
  onNotification(channel: string, message: Buffer): void
}

const ERROR = 0x45
const NOTIFICATION = 0x41
const READY = 0x5a

/**
 * @param swallow types of the answers to messages that we put before the client's own, in order: they are dropped.
 *   An error there belongs to the client and ends the swallowing.
 */
export function createOutputFilter(swallow: readonly string[], events: OutputEvents): OutputFilter {
  const toDrop = swallow.map((type) => type.charCodeAt(0))
  let held: Buffer | undefined
  /** Bytes of a large message that are still to come; its head has been passed on. */
  let passingBytes = 0

  return {
    pass(chunk) {
      const bytes = held ? Buffer.concat([held, chunk]) : chunk
      held = undefined
      const passed: Buffer[] = []
      let at = Math.min(passingBytes, bytes.length)
      let from = 0
      passingBytes -= at

      const cut = (until: number) => {
        if (until > from) passed.push(bytes.subarray(from, until))
      }
      while (at < bytes.length) {
        const type = bytes[at]!
        const length = at + 5 <= bytes.length ? 1 + bytes.readInt32BE(at + 1) : undefined
        const whole = length !== undefined && at + length <= bytes.length
        const ours = type === READY || type === NOTIFICATION || type === toDrop[0]
        if (length === undefined || (ours && !whole)) {
          cut(at)
          held = bytes.subarray(at)
          return passed
        }
        const next = at + length
        if (type === ERROR) toDrop.length = 0
        if (type === READY) events.onReady(String.fromCharCode(bytes[at + 5]!))
        if (type === NOTIFICATION || type === toDrop[0]) {
          cut(at)
          from = next
          if (type === NOTIFICATION) emitNotification(bytes.subarray(at, next), events)
          else toDrop.shift()
        }
        if (!whole) passingBytes = next - bytes.length
        at = next
      }
      cut(bytes.length)
      return passed
    },
  }
}

function emitNotification(message: Buffer, events: OutputEvents): void {
  const channel = message.toString("utf8", 9, message.indexOf(0, 9))
  events.onNotification(channel, toMessage("A", message.subarray(5)))
}

/** The rows of a whole answer, as text. Throws the backend's error. */
export function parseRows(answer: Buffer): (string | undefined)[][] {
  const rows: (string | undefined)[][] = []
  for (let at = 0; at < answer.length; at += 1 + answer.readInt32BE(at + 1)) {
    const type = answer[at]
    if (type === ERROR) throw new Error(errorText(answer, at))
    if (type === 0x44) rows.push(parseRow(answer, at))
  }
  return rows
}

function parseRow(answer: Buffer, at: number): (string | undefined)[] {
  const row: (string | undefined)[] = []
  let from = at + 7
  for (let column = answer.readInt16BE(at + 5); column > 0; column--) {
    const length = answer.readInt32BE(from)
    from += 4
    row.push(length < 0 ? undefined : answer.toString("utf8", from, from + length))
    from += Math.max(length, 0)
  }
  return row
}

function errorText(answer: Buffer, at: number): string {
  const fields = answer.toString("utf8", at + 5, at + 1 + answer.readInt32BE(at + 1)).split("\0")
  return fields.find((field) => field.startsWith("M"))?.slice(1) ?? "unknown error"
}
