export type Side = "client" | "provider"

/** The largest message that is read, with its frames and after it is inflated. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024

/** The watcher of a tunnel. It must not throw. */
export interface TunnelWatcher {
  /**
   * Takes one whole message, decompressed; it is valid only during the call. Messages come in the order of their arrival,
   * whichever side they are from. For a message of the client, while the tunnel is gated, the result decides whether the
   * provider gets it: it is held until then. Otherwise the message has been passed on already and the result is ignored.
   */
  onMessage(from: Side, message: Buffer, isBinary: boolean): Verdict | Promise<Verdict>
  /**
   * A message could not be read: it was too large, or could not be decompressed. It has been passed on; but while the
   * tunnel is gated, a client's message that nobody can judge is not, and the tunnel closes (1009).
   * @param bytes the length of its payload, as it was sent
   */
  onUnread(from: Side, bytes: number): void
  /** The tunnel has ended; nothing follows. */
  onEnd(end: TunnelEnd): void
}

/** `drop`: the provider never sees the message. */
export type Verdict = "pass" | "drop"

export interface TunnelEnd {
  /** Who ended the session first. */
  readonly by: Side | "gateway"
  /**
   * The close code of that side, as its close frame stated it (1005: a close frame without a code); undefined: the
   * connection ended without a close frame.
   */
  readonly code: number | undefined
}
