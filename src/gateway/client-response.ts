import type { ServerResponse } from "node:http"

/** As latin1 text a short body leaves in one write with the head; as bytes it would be a write of its own. */
const MAX_TEXT_BYTES = 16 * 1024

/** The client's side of one answer: written with backpressure, and let go when the client stops reading. */
export class ClientResponse {
  private readonly response: ServerResponse
  private readonly writeTimeoutMs: number
  private stallTimer: NodeJS.Timeout | undefined
  private hasWritten = false

  constructor(response: ServerResponse, writeTimeoutMs: number) {
    this.response = response
    this.writeTimeoutMs = writeTimeoutMs
  }

  /** False: the status or a header is one that node will not write (099, control characters). */
  head(statusCode: number, statusText: string, headers: string[]): boolean {
    try {
      this.response.writeHead(statusCode, isPhrase(statusText) ? statusText : "", headers)
      return true
    } catch {
      return false
    }
  }

  /** The head leaves in this turn, together with a first piece that came with it, or without one. */
  flushHead(): void {
    process.nextTick(flushHead, this)
  }

  /** False: hold the provider back until `resume` is called. */
  write(bytes: Buffer, resume: () => void): boolean {
    if (bytes.length === 0) return true
    this.hasWritten = true
    if (this.response.write(bytes)) return true
    this.watchStall()
    this.response.once("drain", () => {
      clearTimeout(this.stallTimer)
      resume()
    })
    return false
  }

  end(body: Buffer | undefined): void {
    if (body !== undefined && body.length <= MAX_TEXT_BYTES) this.response.end(body.toString("latin1"), "latin1")
    else this.response.end(body)
    if (this.response.writableLength > 0) this.watchStall()
  }

  /** What has come goes out still; then the connection ends without the answer's end. */
  breakOff(): void {
    this.response.socket?.destroySoon()
  }

  /** The answer's connection has closed. */
  closed(): void {
    clearTimeout(this.stallTimer)
  }

  flushHeadAlone(): void {
    if (!this.hasWritten && !this.response.writableEnded && !this.response.destroyed) this.response.flushHeaders()
  }

  /** Until `drain`, or `closed`, which comes after every answer. */
  private watchStall(): void {
    clearTimeout(this.stallTimer)
    this.stallTimer = setTimeout(() => this.response.destroy(), this.writeTimeoutMs)
  }
}

function flushHead(outlet: ClientResponse): void {
  outlet.flushHeadAlone()
}

/** What node writes as a reason phrase. It means nothing to any client, so an odd one is left out. */
function isPhrase(text: string): boolean {
  return /^[\t\x20-\x7e]*$/.test(text)
}
