import { once } from "node:events"
import type { ServerResponse } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import { createBrotliCompress, createDeflate, createGzip, constants as zlib } from "node:zlib"
import type { Made, Script } from "./_shape.ts"

/** How a response ended: completely passed to the socket, the client disconnected, or the script broke it off. */
export type Sent = "complete" | "caller_left" | "broken_off"

/** Sends one response as its script says, and reports every written byte of the body to `onBytes`. */
export async function sendAnswer(
  response: ServerResponse,
  made: Made,
  { script, onBytes }: { readonly script: Script; readonly onBytes: (bytes: Buffer) => void },
): Promise<Sent> {
  const gone = whenGone(response)
  response.on("error", () => {})
  if (script.never) return gone
  if (script.delayMs !== undefined) await Promise.race([sleep(script.delayMs), gone])
  if (script.breakAfterPieces === 0) return breakOff(response)

  const pieces = cut(await encode(made, script), script.chunkBytes)
  response.writeHead(made.status, script.statusMessage, headOf(made, pieces, script))
  if (made.stream || script.hangAfterPieces === 0) response.flushHeaders()
  for (const [at, piece] of pieces.entries()) {
    if (at === script.hangAfterPieces) return gone
    if (at > 0 && at % (script.burst ?? 1) === 0) await pause(script, gone)
    if (script.beforePiece !== undefined) await Promise.race([script.beforePiece(at), gone])
    if (response.destroyed) return "caller_left"
    onBytes(piece)
    const last = at === pieces.length - 1
    if (last && script.breakAfterPieces === undefined && script.hangAfterPieces === undefined) response.end(piece)
    else if (!response.write(piece)) await Promise.race([once(response, "drain"), gone])
    if (at + 1 === script.breakAfterPieces) {
      await Promise.race([flushed(response), gone])
      return breakOff(response)
    }
  }
  if (script.hangAfterPieces !== undefined && !response.writableEnded) return gone
  if (!response.writableEnded) response.end()
  return gone
}

/** Waits before a piece, or before a burst of them. */
async function pause({ pieceDelayMs, burst }: Script, gone: Promise<Sent>): Promise<void> {
  if (pieceDelayMs !== undefined) await Promise.race([sleep(pieceDelayMs), gone])
  else if (burst !== undefined) await new Promise(setImmediate)
}

/** Settles when the response was written completely, or its socket is closed. */
async function whenGone(response: ServerResponse): Promise<Sent> {
  await new Promise<void>((resolve) => {
    response.once("finish", resolve)
    response.once("close", resolve)
  })
  return response.writableFinished ? "complete" : "caller_left"
}

function breakOff(response: ServerResponse): Sent {
  response.socket?.destroy()
  return "broken_off"
}

/**
 * Waits until the written bytes reach the client, which otherwise sees only the broken connection. Node 26 keeps bytes in the
 * response until the end of the tick.
 */
async function flushed(response: ServerResponse): Promise<void> {
  while (!response.destroyed && response.writableLength > 0) await new Promise(setImmediate)
}

function headOf(made: Made, pieces: readonly Buffer[], script: Script): string[] {
  const given = script.headers ?? []
  const names = new Set(given.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()))
  const head: string[] = []
  const add = (name: string, value: string) => {
    if (!names.has(name.toLowerCase())) head.push(name, value)
  }
  add("Content-Type", made.contentType)
  if (script.encoding !== undefined) add("Content-Encoding", script.encoding)
  const broken = script.breakAfterPieces !== undefined || script.hangAfterPieces !== undefined
  if (!made.stream && !script.chunked) {
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    add("Content-Length", String(broken ? bytes + 1 : bytes))
  }
  add("X-Request-Id", "req_far_side")
  return [...head, ...given]
}

/** Returns the pieces as they go over the wire. Each compressed piece is flushed, so that it can be read on arrival. */
async function encode({ pieces }: Made, { encoding }: Script): Promise<Buffer[]> {
  const plain = pieces.map((piece) => Buffer.from(piece as string))
  if (encoding === undefined) return plain
  const { stream, flush } = compressor(encoding)
  const out: Buffer[] = []
  let pending: Buffer[] = []
  stream.on("data", (bytes: Buffer) => pending.push(bytes))
  for (const piece of plain) {
    await new Promise<void>((resolve) => {
      stream.write(piece, () => stream.flush(flush, () => resolve()))
    })
    out.push(Buffer.concat(pending))
    pending = []
  }
  const ended = once(stream, "end")
  stream.end()
  await ended
  return [...out.slice(0, -1), Buffer.concat([...out.slice(-1), ...pending])]
}

function compressor(encoding: NonNullable<Script["encoding"]>) {
  if (encoding === "br") return { stream: createBrotliCompress(), flush: zlib.BROTLI_OPERATION_FLUSH }
  return { stream: encoding === "gzip" ? createGzip() : createDeflate(), flush: zlib.Z_SYNC_FLUSH }
}

function cut(pieces: readonly Buffer[], chunkBytes: number | undefined): readonly Buffer[] {
  if (chunkBytes === undefined) return pieces
  const all = Buffer.concat(pieces)
  return Array.from({ length: Math.ceil(all.length / chunkBytes) }, (_, at) =>
    all.subarray(at * chunkBytes, (at + 1) * chunkBytes),
  )
}
