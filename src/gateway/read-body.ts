import type { IncomingMessage, ServerResponse } from "node:http"
import type { Body } from "../core/call.ts"
import { GatewayError } from "../core/errors.ts"
import type { SpillDirectory } from "../kit/spill-file.ts"
import { LargeBodyWriter } from "./large-body.ts"

export interface BodyLimits {
  readonly maxBytes: number
  readonly timeoutMs: number
  /** Where what is too large to be held is laid; undefined: everything is held. */
  readonly spill: SpillDirectory | undefined
  /** Bytes that all bodies above `HELD_BYTES` may hold together. */
  readonly memoryBudget: { used: number; readonly max: number }
  /** The disk said no: the body is held. */
  onDiskError(error: unknown): void
}

/** So much of any body is held. A longer one is held where there is room, for a file costs it twice the CPU. */
const HELD_BYTES = 512 * 1024
const MAX_HELD_BYTES = 4 * 1024 * 1024
/** Of bodies between the two, together. */
export const MEMORY_BUDGET_BYTES = 32 * 1024 * 1024
/** What is laid down is laid down in portions. */
const PORTION_BYTES = 128 * 1024

/** The client closed its connection before its request was complete. */
export class ClientLeft extends Error {
  override readonly name = "ClientLeft"
}

/**
 * The bytes of a body as they arrive: held while they are few, in a file when they are many.
 *
 * @throws GatewayError `body_too_large`, `request_timeout`; a ClientLeft when the client went away
 */
export function readStreamedBody(
  request: IncomingMessage,
  response: ServerResponse,
  limits: BodyLimits,
): Promise<Body> {
  return new Promise((resolve, reject) => {
    let pieces: Buffer[] = []
    let heldBytes = 0
    let bytes = 0
    let { spill } = limits
    let writer: LargeBodyWriter | undefined
    let laying: Promise<void> | undefined
    let hasFailed = false
    let reserved: number | undefined
    const timer = setTimeout(() => {
      fail(new GatewayError("request_timeout", `The request did not arrive whole within ${limits.timeoutMs} ms.`))
    }, limits.timeoutMs)

    function onData(piece: Buffer): void {
      bytes += piece.length
      if (bytes > limits.maxBytes) {
        fail(tooLarge(limits.maxBytes))
        return
      }
      pieces.push(piece)
      heldBytes += piece.length
      if (heldBytes <= (writer === undefined ? HELD_BYTES : PORTION_BYTES) || spill === undefined) return
      if (writer === undefined && mayHold()) return
      // The client waits meanwhile: nothing piles up behind a slow disk.
      request.pause()
      laying = layDown(spill).then(() => {
        if (hasFailed) writer?.discard()
        else request.resume()
      })
    }

    /** Asked for once: then this body has its room until its request has ended, or until it outgrows it. */
    function mayHold(): boolean {
      if (reserved !== undefined) return heldBytes <= reserved
      const { memoryBudget } = limits
      const wanted = Number(request.headers["content-length"] ?? MAX_HELD_BYTES)
      reserved = wanted <= MAX_HELD_BYTES && memoryBudget.used + wanted <= memoryBudget.max ? wanted : 0
      memoryBudget.used += reserved
      response.once("close", giveBack)
      return reserved > 0
    }

    function giveBack(): void {
      limits.memoryBudget.used -= reserved ?? 0
      reserved = 0
    }

    async function layDown(shelf: SpillDirectory): Promise<void> {
      const portion = pieces
      pieces = []
      heldBytes = 0
      giveBack()
      try {
        writer ??= await LargeBodyWriter.open(shelf)
        await writer.write(portion)
      } catch (error) {
        if (!hasFailed) holdAll(portion, error)
      }
    }

    /** A disk that is full costs memory, not the request. */
    function holdAll(portion: readonly Buffer[], error: unknown): void {
      limits.onDiskError(error)
      spill = undefined
      try {
        pieces = writer === undefined ? [...portion] : [writer.takeBack(), ...portion]
        writer?.discard()
        writer = undefined
      } catch {
        fail(new GatewayError("internal_error", "The request's body could not be kept until it was whole."))
      }
    }

    async function onEnd(): Promise<void> {
      stop()
      // The end may come with the last piece that was buffered, pause or no pause.
      if (laying) await laying
      if (hasFailed) return
      if (writer !== undefined && spill !== undefined) await layDown(spill)
      if (writer !== undefined) resolve(writer.finish())
      else resolve(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, bytes))
    }

    function onGone(): void {
      fail(new ClientLeft("the client left before its request was complete"))
    }

    function fail(error: Error): void {
      hasFailed = true
      stop()
      writer?.discard()
      reject(error)
    }

    function stop(): void {
      clearTimeout(timer)
      request.off("data", onData).off("end", onEnd).off("close", onGone)
      request.pause()
    }

    // `error` always comes with `close`; without a listener it would be thrown.
    request
      .on("data", onData)
      .on("end", onEnd)
      .on("close", onGone)
      .on("error", () => {})
  })
}

export function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError(
    "body_too_large",
    `The request body is larger than ${maxBytes} bytes, the limit of this gateway (server.max_body_size).`,
  )
}
