import { toMessage } from "./wire.ts"

/** Inspects what the backend sends for one unit, and passes on what belongs to the client. */
interface OutputFilter {
  /** Returns the parts of `chunk`, and of what was held back before it, that belong to the client. */
  pass(chunk: Buffer): Buffer[]
}

interface OutputEvents {
  /** ReadyForQuery: `I` idle, `T` in a transaction, `E` in a failed one. */
  onReady(status: string): void
  /** A complete NotificationResponse and its channel. It is removed from the client's bytes. */
  onNotification(channel: string, message: Buffer): void
}

const ERROR = 0x45
const NOTIFICATION = 0x41
const READY = 0x5a

/**
 * Creates the filter for one unit. `droppedTypes` are the types of the replies to the messages that the multiplexer put
 * before the client's own, in order. They are dropped. An error among them belongs to the client, and no reply after it
 * is dropped.
 */
export function createOutputFilter(droppedTypes: readonly string[], events: OutputEvents): OutputFilter {
  const toDrop = droppedTypes.map((type) => type.charCodeAt(0))
  let held: Buffer | undefined
  /** The remaining bytes of a large message whose start has been passed on. */
  let passingBytes = 0

  return {
    pass(chunk) {
      const bytes = held ? Buffer.concat([held, chunk]) : chunk
      held = undefined
      const passed: Buffer[] = []
      let at = Math.min(passingBytes, bytes.length)
      let from = 0
      passingBytes -= at

      const passUntil = (end: number) => {
        if (end > from) passed.push(bytes.subarray(from, end))
      }
      while (at < bytes.length) {
        const type = bytes[at]!
        const length = at + 5 <= bytes.length ? 1 + bytes.readInt32BE(at + 1) : undefined
        const isWhole = length !== undefined && at + length <= bytes.length
        const isOurs = type === READY || type === NOTIFICATION || type === toDrop[0]
        if (length === undefined || (isOurs && !isWhole)) {
          passUntil(at)
          held = bytes.subarray(at)
          return passed
        }
        const next = at + length
        if (type === ERROR) toDrop.length = 0
        if (type === READY) events.onReady(String.fromCharCode(bytes[at + 5]!))
        if (type === NOTIFICATION || type === toDrop[0]) {
          passUntil(at)
          from = next
          if (type === NOTIFICATION) emitNotification(bytes.subarray(at, next), events)
          else toDrop.shift()
        }
        if (!isWhole) passingBytes = next - bytes.length
        at = next
      }
      passUntil(bytes.length)
      return passed
    },
  }
}

function emitNotification(message: Buffer, events: OutputEvents): void {
  const channel = message.toString("utf8", 9, message.indexOf(0, 9))
  events.onNotification(channel, toMessage("A", message.subarray(5)))
}
