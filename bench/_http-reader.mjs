/**
 * Reads HTTP/1.1 responses from one connection in order: the status, and the end by content-length or chunks.
 * It does only what is needed to find the end of a response, so that the load generator costs little CPU.
 *
 * @param {(answer: { status: number, bytes: number, chunks: number }) => void} onAnswer
 */
export function createHttpReader(onAnswer) {
  /** @type {Buffer} */
  let rest = Buffer.alloc(0)
  let status = 0
  let chunked = false
  let bytes = 0
  let chunks = 0
  // The part that comes next: the headers, the rest of a body, the size line of a chunk, or the rest of a chunk.
  /** @type {"head" | "body" | "size" | "chunk"} */
  let state = "head"
  let left = 0

  function done() {
    onAnswer({ status, bytes, chunks })
    state = "head"
    bytes = 0
    chunks = 0
  }

  /** @param {Buffer} data @param {number} at @returns {number} the position after what was read; the same position if more data is needed */
  function step(data, at) {
    if (state === "head") {
      const end = data.indexOf("\r\n\r\n", at)
      if (end < 0) return at
      const head = data.toString("latin1", at, end).toLowerCase()
      status = Number(head.slice(9, 12))
      chunked = head.includes("\r\ntransfer-encoding: chunked")
      left = chunked ? 0 : Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0)
      state = chunked ? "size" : "body"
      if (!chunked && left === 0) done()
      return end + 4
    }
    if (state === "size") {
      const end = data.indexOf("\r\n", at)
      if (end < 0) return at
      // The chunk and the line end after it. The last chunk has only the line end, because no trailers are expected.
      const size = Number.parseInt(data.toString("latin1", at, end), 16)
      bytes += size
      if (size > 0) chunks++
      left = size === 0 ? -2 : size + 2
      state = "chunk"
      return end + 2
    }
    if (left === -2) {
      if (data.length - at < 2) return at
      done()
      return at + 2
    }
    const taken = Math.min(left, data.length - at)
    left -= taken
    if (state === "body") bytes += taken
    if (left === 0) {
      if (state === "body") done()
      else state = "size"
    }
    return at + taken
  }

  return {
    /** @param {Buffer} data */
    push(data) {
      const all = rest.length === 0 ? data : Buffer.concat([rest, data])
      let at = 0
      while (at < all.length) {
        const next = step(all, at)
        if (next === at) break
        at = next
      }
      rest = all.subarray(at)
    },
  }
}
