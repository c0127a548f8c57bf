import type { Inflater } from "../../kit/websocket/inflater.ts"
import type { MemoryBudget } from "../../kit/websocket/memory-budget.ts"
import type { MessageReader } from "../../kit/websocket/message-reader.ts"
import type { Side, TunnelWatcher, Verdict } from "./watcher.ts"

/** When so many bytes wait to be read, the connections that they came from are not read any further. */
const MAX_WAITING_BYTES = 1024 * 1024
/** The memory of a waiting message beside its bytes. */
const WAITING_OVERHEAD = 256

/** The parts that read the messages of one direction. */
export interface Tap {
  readonly side: Side
  readonly reader: MessageReader
  /** undefined: compression was not agreed. */
  readonly inflater: Inflater | undefined
}

/** A whole message that has arrived. */
interface Delivery {
  readonly tap: Tap
  /** undefined: the message was not kept, because it is too large. */
  readonly frames: Buffer | undefined
  readonly isCompressed: boolean
  /** The length of its payload. */
  readonly bytes: number
  /** The bytes of the budget that it holds. */
  reserved: number
  /** Called once for a message that is held. */
  readonly settle: ((verdict: Verdict | "unread") => void) | undefined
}

/**
 * Gives the messages of both directions to the watcher, in the order of their arrival. Nearly all are read at once; a
 * large compressed one is inflated in another thread, and those after it wait.
 */
export class Deliveries {
  private readonly watcher: TunnelWatcher
  private readonly budget: MemoryBudget
  private readonly onCaughtUp: () => void
  private readonly waiting: Delivery[] = []
  private waitingBytes = 0
  private isInflating = false
  private isClosed = false

  constructor(watcher: TunnelWatcher, budget: MemoryBudget, onCaughtUp: () => void) {
    this.watcher = watcher
    this.budget = budget
    this.onCaughtUp = onCaughtUp
  }

  get isBehind(): boolean {
    return this.waitingBytes > MAX_WAITING_BYTES
  }

  add(delivery: Delivery): void {
    if (!this.isInflating) return void this.deliver(delivery)
    const held = this.hold(delivery) ? delivery : { ...delivery, frames: undefined }
    this.waitingBytes += sizeOf(held)
    this.waiting.push(held)
  }

  /** Forgets what waits. The watcher is not called any more. */
  close(): void {
    this.isClosed = true
    for (const { reserved } of this.waiting.splice(0)) this.budget.give(reserved)
  }

  /** Reserves the memory of a message that has to wait. Returns false if there is not enough. */
  private hold(delivery: Delivery): boolean {
    if (delivery.reserved > 0) return true
    const size = sizeOf(delivery)
    if (!this.budget.take(size, size)) return false
    delivery.reserved = size
    return true
  }

  private deliver(delivery: Delivery): void {
    const { tap, frames, isCompressed } = delivery
    const payload = frames && tap.reader.read(frames)
    if (payload === undefined) return void this.deliverUnread(delivery)
    const { data, isBinary } = payload
    if (!isCompressed) return void this.deliverRead(delivery, data, isBinary)
    const inflated = tap.inflater?.inflate(data)
    if (inflated === "large") this.inflate(delivery, tap.inflater!, data, isBinary)
    else if (inflated === undefined) this.deliverUnread(delivery)
    else this.deliverRead(delivery, inflated, isBinary)
  }

  private inflate(delivery: Delivery, inflater: Inflater, data: Buffer, isBinary: boolean): void {
    const { inflations } = this.budget
    if (inflations.isBusy && !this.hold(delivery)) return void this.deliverUnread(delivery)
    this.isInflating = true
    const inflate = () => (this.isClosed ? NOTHING : inflater.inflateLarge(data))
    void inflations.run(inflate).then((message) => {
      this.isInflating = false
      if (message === undefined) this.deliverUnread(delivery)
      else this.deliverRead(delivery, message, isBinary)
      this.catchUp()
    })
  }

  private catchUp(): void {
    while (!this.isInflating && this.waiting.length > 0) {
      const delivery = this.waiting.shift()!
      this.waitingBytes -= sizeOf(delivery)
      this.deliver(delivery)
    }
    if (!this.isClosed && !this.isBehind) this.onCaughtUp()
  }

  private deliverRead(delivery: Delivery, message: Buffer, isBinary: boolean): void {
    const { tap, settle } = delivery
    this.release(delivery)
    if (this.isClosed) return
    const verdict = this.watcher.onMessage(tap.side, message, isBinary)
    if (verdict instanceof Promise) verdict.then(settle, () => settle?.("pass"))
    else settle?.(verdict)
  }

  private deliverUnread(delivery: Delivery): void {
    const { tap, isCompressed, bytes, settle } = delivery
    this.release(delivery)
    if (isCompressed) tap.inflater?.lose()
    if (this.isClosed) return
    this.watcher.onUnread(tap.side, bytes)
    settle?.("unread")
  }

  private release(delivery: Delivery): void {
    if (delivery.reserved > 0) this.budget.give(delivery.reserved)
    delivery.reserved = 0
  }
}

const NOTHING = Promise.resolve(undefined)

function sizeOf({ frames }: Delivery): number {
  return WAITING_OVERHEAD + (frames?.length ?? 0)
}
