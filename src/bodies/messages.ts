import type { MessageCapture, TakenMessages } from "../core/message-capture.ts"
import { Pieces } from "../kit/pieces.ts"
import type { MemoryBudget } from "./capture.ts"

const LF = 10
const NOTHING = Buffer.alloc(0)

interface MessageContext {
  readonly storeRequest: boolean
  /** Limit on the messages of one turn; the rest of them is not stored. */
  readonly maxBodyBytes: number
  readonly budget: MemoryBudget
}

/** Keeps the messages that the client of a WebSocket sends, one per line, until a turn takes them as its request's body. */
export class RunningMessages implements MessageCapture {
  private readonly context: MessageContext
  private readonly pieces = new Pieces()
  private totalBytes = 0
  private isFull = false

  constructor(context: MessageContext) {
    this.context = context
  }

  push(message: Buffer): void {
    const { storeRequest, maxBodyBytes, budget } = this.context
    if (!storeRequest) return
    this.totalBytes += message.length + 1
    if (this.isFull) return
    const room = Math.min(maxBodyBytes - this.pieces.length, budget.max - budget.used)
    if (message.length + 1 > room) this.isFull = true
    const line = toLine(message, Math.max(0, room))
    if (line.length === 0) return
    this.pieces.push(line)
    budget.used += line.length
  }

  take(): TakenMessages {
    const taken = { bytes: this.pieces.takeBytes(), totalBytes: this.totalBytes }
    this.totalBytes = 0
    this.isFull = false
    return taken
  }

  close(): void {
    this.context.budget.used -= this.take().bytes.length
  }
}

/** Returns a copy of a message with a line break at its end, or as much of both as there is room for. */
function toLine(message: Buffer, room: number): Buffer {
  const length = Math.min(message.length + 1, room)
  if (length === 0) return NOTHING
  const line = Buffer.allocUnsafe(length)
  message.copy(line)
  if (length > message.length) line[message.length] = LF
  return line
}
