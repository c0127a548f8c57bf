import type { IncomingMessage } from "node:http"

/** The reason why a body was not read to its end. */
type Unread = "too large" | "too slow" | "left"

/** Reads a body into memory, or says why not. */
export function readBody(
  request: IncomingMessage,
  { maxBytes, timeoutMs }: { readonly maxBytes: number; readonly timeoutMs: number },
): Promise<Buffer | Unread> {
  const declared = Number(request.headers["content-length"] ?? 0)
  if (declared > maxBytes) return Promise.resolve("too large")
  return new Promise((resolve) => {
    const pieces: Buffer[] = []
    let size = 0
    const timer = setTimeout(() => finish("too slow"), timeoutMs)
    function finish(result: Buffer | Unread): void {
      clearTimeout(timer)
      request.off("data", onData)
      resolve(result)
    }
    function onData(piece: Buffer): void {
      timer.refresh()
      size += piece.length
      if (size > maxBytes) finish("too large")
      else pieces.push(piece)
    }
    request.on("data", onData)
    request.once("end", () => finish(Buffer.concat(pieces)))
    request.once("close", () => finish("left"))
    request.once("error", () => finish("left"))
  })
}
