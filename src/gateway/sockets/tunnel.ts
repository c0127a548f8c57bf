import type { Socket } from "node:net"
import { toCloseFrame, toTextFrame } from "../../kit/websocket/frames.ts"
import type { MemoryBudget } from "../../kit/websocket/memory-budget.ts"
import { MESSAGE_TOO_BIG, POLICY_VIOLATION } from "../../kit/websocket/protocol.ts"
import { Deliveries } from "./deliveries.ts"
import { Flow, type FlowOwner } from "./flow.ts"
import { createTap } from "./taps.ts"
import type { Side, TunnelEnd, TunnelWatcher } from "./watcher.ts"

/** How long the sides have to close their connections after a close frame of one of them. */
const CLOSE_TIMEOUT_MS = 30_000
/** The same after a close frame of the gateway's own. */
const OWN_CLOSE_TIMEOUT_MS = 5000

export interface TunnelOptions {
  /** Bytes that came with the handshakes are in the buffers of the sockets. */
  readonly client: Socket
  readonly provider: Socket
  /** The value of the provider's `Sec-WebSocket-Extensions`; undefined: nothing was agreed. */
  readonly extensions: string | undefined
  /** How long a side may stop reading what it was sent, in milliseconds. */
  readonly writeTimeoutMs: number
  /** The memory that all tunnels of the process share for messages that are not complete. */
  readonly budget: MemoryBudget
}

/** Relays the bytes of two sockets unchanged, in both directions, and gives a copy of their messages to a watcher. */
export interface Tunnel {
  /** While true, each message of the client waits for the verdict of the watcher. It may change at any time. */
  isGated: boolean
  /** `performance.now()` when the last message or control frame passed in either direction. */
  readonly lastActiveAt: number
  /** Sends a text message of the gateway's own to the client, between two of the provider's. */
  sendToClient(text: string): void
  /** Closes both sides with close frames, between two messages, and ends the tunnel. */
  close(code: number, reason: string): void
  /** Breaks both connections off at once. */
  destroy(): void
}

/** Opens a tunnel between two connections whose handshakes are over. The watcher is never called before this returns. */
export function openTunnel(options: TunnelOptions, watcher: TunnelWatcher): Tunnel {
  return new OpenTunnel(options, watcher)
}

class OpenTunnel implements Tunnel, FlowOwner {
  isGated = false
  lastActiveAt = performance.now()
  private readonly client: Socket
  private readonly provider: Socket
  private readonly watcher: TunnelWatcher
  private readonly deliveries: Deliveries
  /** From the client to the provider. */
  private readonly up: Flow
  /** From the provider to the client. */
  private readonly down: Flow
  private end: TunnelEnd | undefined
  private isEnded = false
  private isClosing = false
  private openSockets = 2
  private timer: NodeJS.Timeout | undefined

  constructor(options: TunnelOptions, watcher: TunnelWatcher) {
    const { client, provider, budget, writeTimeoutMs, extensions } = options
    this.client = client
    this.provider = provider
    this.watcher = watcher
    this.deliveries = new Deliveries(watcher, budget, () => this.onCaughtUp())
    const common = { budget, deliveries: this.deliveries, owner: this, writeTimeoutMs }
    this.up = new Flow({ ...common, tap: createTap("client", extensions), from: client, to: provider })
    this.down = new Flow({ ...common, tap: createTap("provider", extensions), from: provider, to: client })
    this.connect(client, provider, this.up, "client")
    this.connect(provider, client, this.down, "provider")
  }

  sendToClient(text: string): void {
    if (!this.isClosing && !this.isEnded) this.down.insert(toTextFrame(text))
  }

  close(code: number, reason: string): void {
    if (this.isClosing || this.isEnded) return
    this.isClosing = true
    this.end ??= { by: "gateway", code }
    if (this.up.isBetweenMessages) this.up.insert(toCloseFrame(code, reason, true))
    else this.provider.destroySoon()
    this.up.discard()
    this.down.insert(toCloseFrame(code, reason, false))
    this.startTimer(OWN_CLOSE_TIMEOUT_MS)
    this.finishClosing()
  }

  destroy(): void {
    this.end ??= { by: "gateway", code: undefined }
    this.client.destroy()
    this.provider.destroy()
  }

  onBytes(): void {
    this.lastActiveAt = performance.now()
    if (this.isClosing) this.finishClosing()
  }

  onCloseFrame(side: Side, code: number | undefined): void {
    this.end ??= { by: side, code }
    if (!this.isClosing) return void this.startTimer(CLOSE_TIMEOUT_MS)
    // The answer to the gateway's close frame: this side expects nothing more.
    const socket = side === "client" ? this.client : this.provider
    socket.end()
  }

  onBlocked(why: "unread" | "dropped"): void {
    if (why === "unread") this.close(MESSAGE_TOO_BIG, "the gateway could not read the message")
    else this.close(POLICY_VIOLATION, "the gateway rejected the message")
  }

  onStalled(): void {
    this.destroy()
  }

  isGatedFor(side: Side): boolean {
    return this.isGated && side === "client"
  }

  private connect(from: Socket, to: Socket, flow: Flow, side: Side): void {
    // One side may end what it sends while the other goes on.
    from.allowHalfOpen = true
    from.on("error", ignore)
    from.on("data", (bytes: Buffer) => flow.take(bytes))
    from.on("end", () => {
      this.end ??= { by: side, code: undefined }
      to.end()
    })
    from.on("close", () => this.onClosed(side, to))
    // A side can have left before anything listened.
    if (from.destroyed) process.nextTick(() => this.onClosed(side, to))
    else from.resume()
  }

  private onClosed(side: Side, other: Socket): void {
    this.end ??= { by: side, code: undefined }
    // Bytes that were written to the other side still reach it.
    other.destroySoon()
    if (--this.openSockets === 0) this.finish()
  }

  private onCaughtUp(): void {
    this.up.onCaughtUp()
    this.down.onCaughtUp()
  }

  /** The gateway's close frame may have to wait for the end of a message of the provider's. */
  private finishClosing(): void {
    if (!this.down.isInserted || this.isEnded) return
    this.down.discard()
    this.finish()
  }

  private startTimer(ms: number): void {
    if (this.timer !== undefined) return
    this.timer = setTimeout(() => this.destroy(), ms).unref()
  }

  private finish(): void {
    if (this.openSockets === 0) {
      clearTimeout(this.timer)
      this.up.close()
      this.down.close()
    }
    if (this.isEnded) return
    this.isEnded = true
    this.deliveries.close()
    this.watcher.onEnd(this.end!)
  }
}

function ignore(): void {}
