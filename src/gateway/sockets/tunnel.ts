import type { Socket } from "node:net"

export type Side = "client" | "provider"

/** The watcher of a tunnel. It must not throw. */
export interface TunnelWatcher {
  /**
   * Takes one whole message, decompressed; it is valid only during the call. For a message of the client, while the
   * tunnel is gated, the result decides whether the provider gets it: it is held until then. Otherwise the message has
   * been passed on already and the result is ignored.
   */
  onMessage(from: Side, message: Buffer, isBinary: boolean): Verdict | Promise<Verdict>
  /** A message was passed on unread: it was too large, or could not be decompressed. */
  onUnread(from: Side, bytes: number): void
  /** The tunnel has ended; nothing follows. */
  onEnd(end: TunnelEnd): void
}

/** `drop`: the provider never sees the message. */
export type Verdict = "pass" | "drop"

export interface TunnelEnd {
  /** Who ended the session first. */
  readonly by: Side | "gateway"
  /** The close code of that side, as its close frame stated it; undefined: the connection ended without one. */
  readonly code: number | undefined
}

export interface TunnelOptions {
  /** Bytes that came with the handshakes are in the buffers of the sockets. */
  readonly client: Socket
  readonly provider: Socket
  /** The value of the provider's `Sec-WebSocket-Extensions`; undefined: nothing was agreed. */
  readonly extensions: string | undefined
  /** How long a side may stop reading what it was sent, in milliseconds. */
  readonly writeTimeoutMs: number
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

/** Opens a tunnel between two connections whose handshakes are over. */
export function openTunnel({ client, provider }: TunnelOptions, watcher: TunnelWatcher): Tunnel {
  let by: Side | "gateway" | undefined
  let open = 2
  const tunnel = {
    isGated: false,
    lastActiveAt: performance.now(),
    sendToClient() {},
    close: () => tunnel.destroy(),
    destroy() {
      by ??= "gateway"
      client.destroy()
      provider.destroy()
    },
  }
  relay(client, provider, "client")
  relay(provider, client, "provider")
  return tunnel

  function relay(from: Socket, to: Socket, side: Side): void {
    from.allowHalfOpen = true
    from.on("data", (bytes) => {
      tunnel.lastActiveAt = performance.now()
      if (!to.write(bytes)) from.pause()
    })
    to.on("drain", () => from.resume())
    from.on("end", () => {
      by ??= side
      to.end()
    })
    from.on("error", () => {})
    from.on("close", () => {
      by ??= side
      to.destroySoon()
      if (--open === 0) watcher.onEnd({ by, code: undefined })
    })
    from.resume()
  }
}
