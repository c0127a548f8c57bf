import type { Writable } from "node:stream"
import { expect, test } from "vitest"
import * as ws from "ws"
import { MessageReader, type Payload } from "../../../src/kit/websocket/message-reader.ts"

const { Sender, Receiver } = ws as unknown as {
  readonly Sender: { frame(data: Buffer, options: object): Buffer[] }
  readonly Receiver: new (options: object) => Writable
}
const MAX_BYTES = 1024 * 1024
/** Around the limits of the three ways to state a length. */
const LENGTHS = [0, 1, 3, 4, 5, 125, 126, 127, 65_535, 65_536, 200_000]
const SIDES = ["client", "provider"] as const

test.each(SIDES)("a message in one frame is what the parser of ws reads, from the %s", (side) => {
  const reader = createReader(side)
  for (const opcode of [1, 2]) {
    for (const length of LENGTHS) {
      const frame = toFrame(side, contentOf(length), opcode, true)
      const before = Buffer.from(frame)
      expect(toText(reader.read(frame)), `${length} bytes`).toEqual(toText(readByWs(side, frame)))
      expect(frame.equals(before)).toBe(true)
    }
  }
})

test.each(SIDES)("a message in several frames is what the parser of ws reads, from the %s", (side) => {
  const reader = createReader(side)
  for (const length of LENGTHS) {
    const content = contentOf(length)
    const frames = Buffer.concat([
      toFrame(side, content, 2, false),
      toFrame(side, Buffer.alloc(0), 0, false),
      toFrame(side, content, 0, true),
    ])
    const before = Buffer.from(frames)
    const expected = { data: Buffer.concat([content, content]), isBinary: true }
    expect(toText(reader.read(frames)), `2 x ${length} bytes`).toEqual(toText(expected))
    expect(frames.equals(before)).toBe(true)
  }
})

test("a compressed message is returned as it was sent, in one frame and in several", () => {
  const reader = createReader("client")
  const content = contentOf(300)
  const whole = toFrame("client", content, 1, true, true)
  const fragments = Buffer.concat([toFrame("client", content, 1, false, true), toFrame("client", content, 0, true)])
  expect(reader.read(whole)?.data).toEqual(content)
  expect(reader.read(fragments)?.data).toEqual(Buffer.concat([content, content]))
})

test("fragments that are not valid are no message, and the next ones are read", () => {
  const reader = createReader("client")
  const part = toFrame("client", contentOf(10), 1, false)
  expect(reader.read(Buffer.concat([part, part]))).toBeUndefined()
  expect(reader.read(Buffer.concat([part, toFrame("client", contentOf(5), 0, true)]))?.data).toHaveLength(15)
})

function createReader(side: "client" | "provider"): MessageReader {
  return new MessageReader({ isFromClient: side === "client", maxBytes: MAX_BYTES })
}

/** Text is compared much faster than a Buffer. */
function toText(payload: Payload | undefined) {
  return payload && { ...payload, data: payload.data.toString("latin1") }
}

function contentOf(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, at) => (at * 31) % 251))
}

function toFrame(side: string, content: Buffer, opcode: number, isFinal: boolean, isCompressed = false): Buffer {
  const mask = side === "client" ? { mask: true, maskBuffer: Buffer.alloc(4), generateMask: fillMask } : { mask: false }
  const options = { fin: isFinal, rsv1: isCompressed, opcode, readOnly: true, ...mask }
  return Buffer.concat(Sender.frame(content, options))
}

function fillMask(mask: Buffer): void {
  mask.set([7, 130, 251, 64])
}

function readByWs(side: string, frame: Buffer): Payload | undefined {
  const receiver = new Receiver({ isServer: side === "client", maxPayload: MAX_BYTES, skipUTF8Validation: true })
  let payload: Payload | undefined
  receiver.on("message", (data: Buffer, isBinary: boolean) => {
    payload = { data, isBinary }
  })
  receiver.write(Buffer.from(frame))
  return payload
}
