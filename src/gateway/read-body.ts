import type { IncomingMessage, ServerResponse } from "node:http"
import type { Body } from "../core/call.ts"
import { GatewayError } from "../core/errors.ts"
import { onSmallPiece, SMALL_PIECE_BYTES } from "../kit/costly-reads.ts"
import { Pieces } from "../kit/pieces.ts"
import type { SpillDirectory } from "../kit/spill-file.ts"
import { diskFull, LargeBodyWriter } from "./large-body.ts"
import type { GatewaySettings } from "./settings.ts"

export interface BodyLimits {
  readonly maxBytes: number
  /** The longest time without a further piece of the body. */
  readonly timeoutMs: number
  /** Where large bodies are stored; undefined: all bodies stay in memory. */
  readonly spill: SpillDirectory | undefined
  /** The bytes that all bodies above `SMALL_BYTES` may hold in memory together. */
  readonly memoryBudget: { used: number; readonly max: number }
  /** Called when a write to the disk fails. The body then stays in memory if the memory budget allows. */
  onDiskError(error: unknown): void
}

/** A body up to this size stays in memory. */
const SMALL_BYTES = 512 * 1024
/** A body up to this size stays in memory if the memory budget allows, because a file costs it twice the CPU. */
const MAX_IN_MEMORY_BYTES = 4 * 1024 * 1024
const MEMORY_BUDGET_BYTES = 32 * 1024 * 1024
/** The size of one write to a spill file. */
const SPILL_WRITE_BYTES = 128 * 1024

/** The client closed its connection before its request was complete. */
export class ClientLeft extends Error {
  override readonly name = "ClientLeft"
}

export function createBodyLimits(
  { maxBodyBytes, readTimeoutMs }: GatewaySettings,
  spill: SpillDirectory | undefined,
  onDiskError: (error: unknown) => void,
): BodyLimits {
  const memoryBudget = { used: 0, max: MEMORY_BUDGET_BYTES }
  return { maxBytes: maxBodyBytes, timeoutMs: readTimeoutMs, spill, memoryBudget, onDiskError }
}

/**
 * Reads the body of a request to its end: a small one into memory, a large one into a spill file.
 *
 * @throws GatewayError `body_too_large`, `request_timeout`, `disk_full`; ClientLeft when the client disconnects
 */
export async function readBody(request: IncomingMessage, response: ServerResponse, limits: BodyLimits): Promise<Body> {
  // Most bodies arrive in one packet with their head. Node has parsed the whole packet before it runs a microtask, so
  // that such a body is there now, and costs neither a timer nor listeners.
  await undefined
  if (request.destroyed) throw clientLeft()
  if (isAtHand(request, limits)) {
    const body: Buffer = request.read()
    request.resume() // Node then sees the end of the request, and frees it.
    return body
  }
  return new Promise((resolve, reject) => new BodyReader({ request, response, limits, resolve, reject }).start())
}

/** Returns true if node has received the whole body, and it may stay in memory. */
function isAtHand({ headers, readableLength }: IncomingMessage, { maxBytes }: BodyLimits): boolean {
  return (
    readableLength > 0 &&
    readableLength <= Math.min(maxBytes, SMALL_BYTES) &&
    readableLength === Number(headers["content-length"])
  )
}

function clientLeft(): ClientLeft {
  return new ClientLeft("the client disconnected before its request was complete")
}

export function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError(
    "body_too_large",
    `The request body is larger than ${maxBytes} bytes, the limit of this gateway (server.max_body_size).`,
  )
}

interface Reading {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly limits: BodyLimits
  resolve(body: Body): void
  reject(error: Error): void
}

/**
 * - `memory`: the pieces are held in memory.
 * - `spilling`: they go to a spill file; at most `SPILL_WRITE_BYTES` and a piece are held.
 * - `diskless`: no file; everything is held. If that is because the disk failed, the memory budget is the limit.
 * - `ended`: the whole body has arrived, or reading it has failed.
 */
type State = "memory" | "spilling" | "diskless" | "ended"

class BodyReader {
  private readonly to: Reading
  private state: State
  private readonly held = new Pieces()
  private totalBytes = 0
  /** The reservation in the memory budget; undefined: not requested yet. */
  private reservedBytes: number | undefined
  private writer: LargeBodyWriter | undefined
  /** The last write to the spill file. */
  private writing: Promise<void> | undefined
  private timer: NodeJS.Timeout | undefined
  private hasDiskFailed = false

  constructor(to: Reading) {
    this.to = to
    this.state = to.limits.spill === undefined ? "diskless" : "memory"
  }

  start(): void {
    const { request, limits } = this.to
    this.timer = setTimeout(() => {
      const message = `No part of the request arrived for ${limits.timeoutMs} ms (server.read_timeout).`
      this.fail(new GatewayError("request_timeout", message))
    }, limits.timeoutMs)
    // `error` is always followed by `close`; without a listener node would throw it.
    request.on("data", this.onData).on("end", this.onEnd).on("close", this.onClose).on("error", ignore)
  }

  private readonly onData = (piece: Buffer): void => {
    this.totalBytes += piece.length
    if (this.totalBytes > this.to.limits.maxBytes) {
      this.fail(tooLarge(this.to.limits.maxBytes))
      return
    }
    if (this.hasDiskFailed && !this.reserve(this.totalBytes)) {
      this.fail(diskFull())
      return
    }
    this.held.push(piece)
    this.timer?.refresh()
    if (piece.length < SMALL_PIECE_BYTES) onSmallPiece(this.to.request.socket)
    if (this.mustSpill()) this.spill()
  }

  private readonly onEnd = async (): Promise<void> => {
    this.stop()
    // The end can come with the last buffered piece, even while the request is paused for a write.
    if (this.writing) await this.writing
    if (this.state === "spilling") await this.write()
    if (this.state !== "ended") this.finish()
  }

  private finish(): void {
    this.state = "ended"
    if (this.writer) this.to.resolve(this.writer.finish())
    else this.to.resolve(this.held.takeBytes())
  }

  private readonly onClose = (): void => {
    this.fail(clientLeft())
  }

  private mustSpill(): boolean {
    if (this.state === "spilling") return this.held.length > SPILL_WRITE_BYTES
    return this.state === "memory" && this.held.length > SMALL_BYTES && !this.mayStayInMemory()
  }

  /**
   * Requests a reservation from the memory budget once. The reservation lasts until the request has ended or the body
   * outgrows it.
   */
  private mayStayInMemory(): boolean {
    if (this.reservedBytes !== undefined) return this.held.length <= this.reservedBytes
    const wanted = Number(this.to.request.headers["content-length"] ?? MAX_IN_MEMORY_BYTES)
    this.reservedBytes = 0
    this.to.response.once("close", () => this.release())
    return wanted <= MAX_IN_MEMORY_BYTES && this.reserve(wanted)
  }

  /** Changes the reservation to this many bytes. Returns false, and changes nothing, if the memory budget does not allow it. */
  private reserve(bytes: number): boolean {
    const { memoryBudget } = this.to.limits
    const used = memoryBudget.used + bytes - (this.reservedBytes ?? 0)
    if (used > memoryBudget.max) return false
    memoryBudget.used = used
    this.reservedBytes = bytes
    return true
  }

  private release(): void {
    this.to.limits.memoryBudget.used -= this.reservedBytes ?? 0
    this.reservedBytes = 0
  }

  /** The request is paused during the write, so that memory does not grow if the disk is slower than the client. */
  private spill(): void {
    this.state = "spilling"
    this.release()
    this.to.request.pause()
    this.writing = this.write().then(() => {
      if (this.state === "ended") return this.writer?.discard()
      this.timer?.refresh()
      this.to.request.resume()
    })
  }

  private async write(): Promise<void> {
    const pieces = this.held.take()
    try {
      this.writer ??= await LargeBodyWriter.open(this.to.limits.spill!)
      await this.writer.write(pieces)
    } catch (error) {
      if (this.state !== "ended") this.returnToMemory(pieces, error)
    }
  }

  /** A full disk costs memory, as far as there is some. Only then does it cost the request. */
  private returnToMemory(unwritten: readonly Buffer[], error: unknown): void {
    this.to.limits.onDiskError(error)
    this.hasDiskFailed = true
    if (!this.reserve(this.totalBytes)) {
      this.fail(diskFull())
      return
    }
    try {
      const written = this.writer ? [this.writer.takeBack()] : []
      for (const piece of [...written, ...unwritten, ...this.held.take()]) this.held.push(piece)
      this.writer?.discard()
      this.writer = undefined
      this.state = "diskless"
    } catch {
      this.fail(diskFull())
    }
  }

  private fail(error: Error): void {
    this.state = "ended"
    this.stop()
    this.writer?.discard()
    this.to.reject(error)
  }

  private stop(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.to.request.off("data", this.onData).off("end", this.onEnd).off("close", this.onClose)
    this.to.request.pause()
  }
}

function ignore(): void {}
