import type { ServerResponse } from "node:http"
import { toHeaderLines } from "../kit/http/fields.ts"
import { StallWatch } from "../kit/stall-watch.ts"

/** A short body is written as latin1 text: node then sends it with the head in one write, and bytes in a second one. */
const MAX_TEXT_BYTES = 16 * 1024

const LINE_END = "\r\n"

/**
 * Writes one answer to the client, with backpressure, and disconnects a client that stops reading.
 *
 * It frames the chunks of a stream itself: node writes each as four parts, and that costs as much as all the rest of a short piece.
 */
export class ClientResponse {
  private readonly response: ServerResponse
  private readonly writeTimeoutMs: number
  private stall: StallWatch | undefined
  private hasWritten = false
  /** The body is sent in chunks. */
  private isChunked = false

  constructor(response: ServerResponse, writeTimeoutMs: number) {
    this.response = response
    this.writeTimeoutMs = writeTimeoutMs
  }

  /**
   * Returns false if node rejects the status or a header (status 099, control characters).
   * @param hasLength whether the headers state the length of the body, or there is none
   */
  head(statusCode: number, statusText: string, headers: string[], hasLength: boolean): boolean {
    const { response } = this
    // HTTP/1.0 has no chunks: the end of the connection ends the body.
    this.isChunked = !hasLength && response.req.httpVersionMinor > 0
    if (this.isChunked) headers.push("Transfer-Encoding", "chunked")
    try {
      response.writeHead(statusCode, isPhrase(statusText) ? statusText : "", headers)
    } catch {
      return false
    }
    if (this.isChunked) response.chunkedEncoding = false
    return true
  }

  /** Returns false if the client is slow: the provider must pause until `resume` is called. */
  write(bytes: Buffer, resume: () => void): boolean {
    const { response } = this
    if (bytes.length === 0 || response.destroyed) return true
    this.hasWritten = true
    if (this.isChunked ? this.writeChunk(bytes) : response.write(bytes)) return true
    this.watchStall()
    response.once("drain", () => {
      this.stall?.stop()
      resume()
    })
    return false
  }

  /** @param trailers names and values alternate; only an answer without a length can have them */
  end(body: Buffer | undefined, trailers: readonly string[] = []): void {
    const { response } = this
    if (this.isChunked) {
      if (body !== undefined && body.length > 0) this.writeChunk(body)
      response.end(`0\r\n${toHeaderLines(trailers)}\r\n`, "latin1")
    } else if (body !== undefined && body.length <= MAX_TEXT_BYTES) response.end(body.toString("latin1"), "latin1")
    else response.end(body)
    if (response.writableLength > 0) this.watchStall()
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

  private writeChunk(bytes: Buffer): boolean {
    const { response } = this
    const size = bytes.length.toString(16) + LINE_END
    if (bytes.length <= MAX_TEXT_BYTES) return response.write(`${size}${bytes.toString("latin1")}${LINE_END}`, "latin1")
    // Node joins what is written in one tick.
    response.write(size, "latin1")
    response.write(bytes)
    return response.write(LINE_END, "latin1")
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
