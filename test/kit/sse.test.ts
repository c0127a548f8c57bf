import { describe, expect, it } from "vitest"
import { createSseSplitter } from "../../src/kit/sse.ts"

function split(text: string, { size = Number.MAX_SAFE_INTEGER, max = 1000 } = {}) {
  const events: string[] = []
  const splitter = createSseSplitter(
    {
      event: (data) => events.push(data.toString()),
      long() {
        let bytes = 0
        return {
          push(piece) {
            bytes += piece.length
          },
          end() {
            events.push(`long ${bytes}`)
          },
        }
      },
    },
    max,
  )
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) {
    const piece = Buffer.from(bytes.subarray(at, at + size))
    splitter.push(piece)
    piece.fill(0)
  }
  splitter.end()
  return events
}

describe("splitting server-sent events", () => {
  it("returns the data of each event by the rules of the standard, wherever the bytes are cut", () => {
    const text =
      "\uFEFFdata: a\n\n: comment\n\nevent: x\ndata:b\nid: 1\n\ndata\ndata:  c\ndata: 世界\n\ndatax: no\nnodata: no\n\ndata: d"
    const right = ["a", "b", "\n c\n世界", "d"]
    for (let size = 1; size < 30; size++) {
      expect(split(text, { size }), `${size}`).toEqual(right)
      expect(split(text.replaceAll("\n", "\r\n"), { size }), `CRLF ${size}`).toEqual(right)
    }
  })
  it("passes on an event longer than the limit in pieces, and the events after it whole", () => {
    const text = `data: ${"x".repeat(5000)}\n\ndata: a\n\n: ${"x".repeat(5000)}\ndata: b\n\ndata: ${"y".repeat(600)}\ndata: ${"y".repeat(600)}\n\n`
    for (const size of [1, 7, 999, 1001, 100_000]) {
      expect(split(text, { size })).toEqual(["long 5000", "a", "b", "long 1201"])
    }
  })
})
