import type { ServerResponse } from "node:http"
import { StallWatch } from "../kit/stall-watch.ts"

/** A short body is written as latin1 text: node then sends it with the head in one write, and bytes in a second one. */
const MAX_TEXT_BYTES = 16 * 1024

/** Writes one answer to the client, with backpressure, and disconnects a client that stops reading. */
export class ClientResponse {
  private readonly response: ServerResponse
  private readonly writeTimeoutMs: number
  private stall: StallWatch | undefined
  private hasWritten = false

  constructor(response: ServerResponse, writeTimeoutMs: number) {
    this.response = response
    this.writeTimeoutMs = writeTimeoutMs
  }

  /** Returns false if node rejects the status or a header (status 099, control characters). */
  head(statusCode: number, statusText: string, headers: string[]): boolean {
    try {
      this.response.writeHead(statusCode, isPhrase(statusText) ? statusText : "", headers)
      return true
    } catch {
      return false
    }
  }

  /** Returns false if the client is slow: the provider must pause until `resume` is called. */
  write(bytes: Buffer, resume: () => void): boolean {
    if (bytes.length === 0 || this.response.destroyed) return true
    this.hasWritten = true
    if (this.response.write(bytes)) return true
    this.watchStall()
    this.response.once("drain", () => {
      this.stall?.stop()
      resume()
    })
    return false
  }

  end(body: Buffer | undefined): void {
    if (body !== undefined && body.length <= MAX_TEXT_BYTES) this.response.end(body.toString("latin1"), "latin1")
    else this.response.end(body)
    if (this.response.writableLength > 0) this.watchStall()
  }

  /** Sends what has been written, then closes the connection without the regular end of the answer. */
  breakOff(): void {
    this.response.socket?.destroySoon()
  }

  /** Must be called when the connection of the answer has closed. */
  closed(): void {
    this.stall?.stop()
  }

  /** Sends the head, if no piece of the answer has taken it along. */
  flushHead(): void {
    if (!this.hasWritten && !this.response.writableEnded && !this.response.destroyed) this.response.flushHeaders()
  }

  /** Starts the write timeout. It ends with `drain` or with `closed`, which follows every answer. */
  private watchStall(): void {
    const { response } = this
    this.stall ??= new StallWatch(
      () => response.socket,
      this.writeTimeoutMs,
      () => response.destroy(),
    )
    this.stall.start()
  }
}

/** Whether node accepts the text as a reason phrase. Clients ignore the phrase, so another text is left out. */
function isPhrase(text: string): boolean {
  return /^[\t\x20-\x7e]*$/.test(text)
}
