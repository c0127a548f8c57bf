/** Messages of a WebSocket's client, one per line. They are stored as the request's body of a turn. */
export interface TakenMessages {
  readonly bytes: Buffer
  /** The length of all messages. It is larger than that of `bytes` if there was no room for all. */
  readonly totalBytes: number
}

/** Keeps the messages that a WebSocket's client sends before and with a turn. */
export interface MessageCapture {
  /** Copies a message. */
  push(message: Buffer): void
  /** Returns the messages since the last call. Their memory is released by the capture that gets them. */
  take(): TakenMessages
  /** Releases the memory of the messages that were not taken. */
  close(): void
}
