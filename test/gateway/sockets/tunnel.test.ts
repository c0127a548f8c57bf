import { once } from "node:events"
import { constants, deflateRawSync } from "node:zlib"
import { afterEach, describe, expect, test } from "vitest"
import type { Verdict } from "../../../src/gateway/sockets/watcher.ts"
import { MemoryBudget } from "../../../src/kit/websocket/memory-budget.ts"
import { frame, MASK, openTestTunnel, type TestTunnel, writePieces } from "./_tunnel.ts"

const MIB = 1024 * 1024
const DEFLATE = "permessage-deflate"
const CLOSE = 8
const PING = 9

let open: TestTunnel

afterEach(() => open.close())

async function start(options: Parameters<typeof openTestTunnel>[0] = {}): Promise<TestTunnel> {
  open = await openTestTunnel(options)
  return open
}

/** A frame of a client. */
const masked: typeof frame = (payload, options) => frame(payload, { mask: MASK, ...options })

function compress(text: string | Buffer): Buffer {
  return deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
}

/** Sends bytes of a side, and waits until the tunnel has read them. */
function send(side: "client" | "provider", ...pieces: Buffer[]): Promise<void> {
  return writePieces(open[side].socket, open.near[side], pieces)
}

/** Waits until a predicate holds, which bytes of the tunnel's ends make true. */
async function untilSeen(count: number): Promise<void> {
  while (open.seen.length + open.unread.length < count) await new Promise(setImmediate)
}

describe("the bytes", () => {
  test("of frames that no end may send pass unchanged, and only their messages are not read", async () => {
    await start()
    const odd = [
      frame("not masked"),
      masked("reserved opcode", { opcode: 5 }),
      masked("compressed, which was not agreed", { isCompressed: true }),
      masked("a".repeat(200), { opcode: PING }),
      masked("continues nothing", { opcode: 0 }),
    ]
    const bytes = Buffer.concat([...odd, masked("valid")])
    await send("client", bytes)
    expect((await open.provider.until(bytes.length)).equals(bytes)).toBe(true)
    expect(open.seen).toEqual([["client", "valid"]])
    expect(open.unread.map(([, length]) => length)).toEqual([10, 15, 32, 17])
    const reply = Buffer.concat([masked("masked by a provider"), frame("valid too")])
    await send("provider", reply)
    expect((await open.client.until(reply.length)).equals(reply)).toBe(true)
    expect(open.seen.at(-1)).toEqual(["provider", "valid too"])
  })

  test("of a frame whose announced length is not possible pass without end", async () => {
    await start()
    const bytes = Buffer.concat([Buffer.from([0x82, 0xff, ...Array(8).fill(0xff)]), MASK, Buffer.alloc(1000, 7)])
    await send("client", bytes)
    expect((await open.provider.until(bytes.length)).equals(bytes)).toBe(true)
    expect(open.seen).toEqual([])
  })

  test("of a message above 16 MiB pass, and it is reported as unread", async () => {
    await start()
    const bytes = Buffer.concat([masked(Buffer.alloc(16 * MIB + 1, 65)), masked("next")])
    open.client.socket.write(bytes)
    expect((await open.provider.until(bytes.length)).equals(bytes)).toBe(true)
    expect(open.unread).toEqual([["client", 16 * MIB + 1]])
    expect(open.seen).toEqual([["client", "next"]])
  })

  test("of a message of 16 MiB pass, and it is read", async () => {
    await start()
    const bytes = frame(Buffer.alloc(16 * MIB - 14, 65))
    open.provider.socket.write(bytes)
    expect((await open.client.until(bytes.length)).length).toBe(bytes.length)
    expect(open.seen.map(([, message]) => message.length)).toEqual([16 * MIB - 14])
  })

  test("of a message in too many fragments pass, and it is reported as unread", async () => {
    await start()
    const bytes = Buffer.concat([
      frame("", { isFinal: false }),
      ...Array.from({ length: 20_000 }, () => frame("x", { opcode: 0, isFinal: false })),
      frame("", { opcode: 0 }),
      frame("next"),
    ])
    open.provider.socket.write(bytes)
    await open.client.until(bytes.length)
    await untilSeen(2)
    expect(open.unread).toEqual([["provider", 20_000]])
    expect(open.seen).toEqual([["provider", "next"]])
  })
})

test.each([
  ["control frames", masked("", { opcode: PING })],
  ["fragments", masked("", { opcode: 0, isFinal: false })],
])("a chunk of many %s is not read in one turn of the event loop", async (_name, each) => {
  await start()
  const bytes = Buffer.concat([masked("", { isFinal: false }), ...Array(2000).fill(each), masked("", { opcode: 0 })])
  const seen: number[] = []
  open.near.client.on("data", () => seen.push(open.seen.length))
  await send("client", bytes)
  await untilSeen(1)
  expect(seen, "after the last chunk").toEqual(seen.map(() => 0))
})

describe("compressed messages", () => {
  test("that inflate to more than 16 MiB are reported as unread, and those after them can still be read", async () => {
    await start({ extensions: `${DEFLATE}; server_no_context_takeover` })
    await send("provider", frame(compress(Buffer.alloc(17 * MIB)), { isCompressed: true }))
    await send("provider", frame(compress("small"), { isCompressed: true }))
    await untilSeen(2)
    expect(open.unread.map(([side]) => side)).toEqual(["provider"])
    expect(open.seen).toEqual([["provider", "small"]])
  })

  test("after one that was not read are not read either if they can refer to it", async () => {
    await start({ extensions: DEFLATE })
    await send(
      "provider",
      frame("not deflate", { isCompressed: true }),
      frame(compress("lost"), { isCompressed: true }),
    )
    await send("provider", frame("plain"))
    await untilSeen(3)
    expect(open.unread).toHaveLength(2)
    expect(open.seen).toEqual([["provider", "plain"]])
  })

  test("that take long are still read in the order of their arrival, whichever side they are from", async () => {
    await start({ extensions: DEFLATE })
    const long = "0123456789".repeat(300_000)
    await send("client", masked(compress(long), { isCompressed: true }))
    await send("provider", frame("answer"))
    await send("client", masked("next"))
    await untilSeen(3)
    expect(open.seen.map(([side, message]) => [side, message.length])).toEqual([
      ["client", long.length],
      ["provider", 6],
      ["client", 4],
    ])
  })
})

describe("memory", () => {
  test("is taken from a message that does not end when another one needs it", async () => {
    const budget = new MemoryBudget(4 * MIB, { slowMs: 0 })
    await start({ budget })
    const slow = masked(Buffer.alloc(3 * MIB - 100, 1))
    open.client.socket.write(slow.subarray(0, -1))
    await open.provider.until(slow.length - 1)
    const large = frame(Buffer.alloc(MIB, 2))
    open.provider.socket.write(large)
    await open.client.until(large.length)
    expect(open.seen.map(([side, { length }]) => [side, length])).toEqual([["provider", MIB]])
    open.client.socket.write(Buffer.concat([slow.subarray(-1), masked("next")]))
    await untilSeen(3)
    expect(open.unread).toEqual([["client", 3 * MIB - 100]])
    expect(open.seen.at(-1)).toEqual(["client", "next"])
    expect(budget.take(4 * MIB, 1), "all of it is given back").toBe(true)
  })

  test("large compressed messages of many connections are all read: they are inflated a few at a time", async () => {
    const budget = new MemoryBudget(64 * MIB)
    const message = frame(compress("0123456789abcdef".repeat(MIB / 2)), { isCompressed: true })
    const others = await Promise.all(Array.from({ length: 7 }, () => openTestTunnel({ budget, extensions: DEFLATE })))
    await start({ budget, extensions: DEFLATE })
    const all = [...others, open]
    for (const { provider } of all) provider.socket.write(message)
    for (const { seen, unread } of all) while (seen.length + unread.length === 0) await new Promise(setImmediate)
    expect(all.map(({ seen }) => seen.map(([, text]) => text.length))).toEqual(all.map(() => [8 * MIB]))
    for (const other of others) other.close()
  })

  test("a connection that closes while its message waits gives its memory back, and lets the others go on", async () => {
    const budget = new MemoryBudget(64 * MIB)
    const message = frame(compress("0123456789abcdef".repeat(MIB / 2)), { isCompressed: true })
    const others = await Promise.all(Array.from({ length: 4 }, () => openTestTunnel({ budget, extensions: DEFLATE })))
    await start({ budget, extensions: DEFLATE })
    for (const { provider, near } of [...others, open]) await writePieces(provider.socket, near.provider, [message])
    for (const other of others) other.close()
    await untilSeen(1)
    expect(open.seen.map(([, text]) => text.length)).toEqual([8 * MIB])
    await Promise.all(others.map(({ ended }) => ended))
    while (budget.inflations.isBusy) await new Promise(setImmediate)
    expect(budget.take(64 * MIB, 1), "all of it is given back").toBe(true)
  })

  test("is shared by all tunnels: a message that does not fit passes unread, and small ones always have a part of it", async () => {
    const budget = new MemoryBudget(4 * MIB)
    await start({ budget })
    const slow = masked(Buffer.alloc(3 * MIB - 100, 1)).subarray(0, -1)
    open.client.socket.write(slow)
    await open.provider.until(slow.length)
    const large = frame(Buffer.alloc(MIB, 2))
    open.provider.socket.write(large)
    await open.client.until(large.length)
    expect(open.unread).toEqual([["provider", MIB]])
    await send("provider", ...[frame("in two pieces")].flatMap((bytes) => [bytes.subarray(0, 5), bytes.subarray(5)]))
    expect(open.seen).toEqual([["provider", "in two pieces"]])
    expect(budget.take(MIB, 1)).toBe(true)
    budget.give(MIB)
    open.close()
    await open.ended
    expect(budget.take(4 * MIB, 1), "all of it is given back").toBe(true)
  })
})

describe("a gated tunnel", () => {
  test("holds a message until it is whole and its verdict is there, and keeps the order", async () => {
    const verdicts: ((verdict: Verdict) => void)[] = []
    await start({ isGated: true, watcher: { onMessage: () => new Promise((resolve) => verdicts.push(resolve)) } })
    const [one, two, three] = [masked("one"), masked("two"), masked("three")]
    await send("client", Buffer.concat([one, two, three]))
    expect(open.provider.received()).toHaveLength(0)
    expect(verdicts).toHaveLength(1)
    verdicts[0]!("pass")
    expect((await open.provider.until(one.length)).equals(one)).toBe(true)
    while (verdicts.length < 2) await new Promise(setImmediate)
    verdicts[1]!("drop")
    while (verdicts.length < 3) await new Promise(setImmediate)
    verdicts[2]!("pass")
    const all = Buffer.concat([one, three])
    expect((await open.provider.until(all.length)).equals(all)).toBe(true)
  })

  test("passes pings between the fragments of a held message at once", async () => {
    await start({ isGated: true })
    const ping = masked("now", { opcode: PING })
    const first = masked("first", { isFinal: false })
    const last = masked("last", { opcode: 0 })
    await send("client", first, ping)
    expect((await open.provider.until(ping.length)).equals(ping)).toBe(true)
    await send("client", last)
    const all = Buffer.concat([ping, first, last])
    expect((await open.provider.until(all.length)).equals(all)).toBe(true)
  })

  test("closes instead of dropping a message that the provider needs to inflate later ones", async () => {
    await start({
      isGated: true,
      extensions: DEFLATE,
      watcher: {
        onMessage() {
          open.tunnel.sendToClient("rejected")
          return "drop"
        },
      },
    })
    await send("client", masked(compress("no"), { isCompressed: true }))
    const told = Buffer.concat([
      frame("rejected"),
      frame(closing(1008, "the gateway rejected the message"), { opcode: CLOSE }),
    ])
    expect((await open.client.until(told.length)).equals(told)).toBe(true)
    expect(await open.ended).toEqual({ by: "gateway", code: 1008 })
  })

  test.each([
    ["uncompressed", DEFLATE, masked("no")],
    [
      "without context takeover",
      `${DEFLATE};client_no_context_takeover`,
      masked(compress("no"), { isCompressed: true }),
    ],
  ])("drops a message that is %s, and the session goes on", async (_name, extensions, message) => {
    const verdicts: Verdict[] = ["drop", "pass"]
    await start({ isGated: true, extensions, watcher: { onMessage: () => verdicts.shift()! } })
    const next = masked("yes")
    await send("client", message, next)
    expect((await open.provider.until(next.length)).equals(next)).toBe(true)
  })

  test("does not pass a message that it cannot read, and closes with 1009", async () => {
    await start({ isGated: true })
    open.client.socket.write(masked(Buffer.alloc(16 * MIB + 1)))
    expect(await open.ended).toEqual({ by: "gateway", code: 1009 })
    const received = await open.provider.until(8)
    expect(received[0]).toBe(0x80 | CLOSE)
  })

  test("goes on with a message that had begun to pass", async () => {
    await start({ watcher: { onMessage: () => "drop" } })
    const message = masked("half")
    await send("client", message.subarray(0, 7))
    open.tunnel.isGated = true
    await send("client", message.subarray(7), masked("held and dropped"))
    await untilSeen(2)
    expect(open.provider.received().equals(message)).toBe(true)
  })
})

describe("the gateway's own messages", () => {
  test("are sent between two messages of the provider's", async () => {
    await start()
    const first = frame("first", { isFinal: false })
    const last = frame("last", { opcode: 0 })
    await send("provider", first.subarray(0, 3))
    open.tunnel.sendToClient("own")
    await send("provider", first.subarray(3), Buffer.concat([last, frame("next")]))
    const all = Buffer.concat([first, last, frame("own"), frame("next")])
    expect((await open.client.until(all.length)).equals(all)).toBe(true)
  })

  test("close both sides, and the connections end when both have answered", async () => {
    await start()
    open.tunnel.close(1001, "bye")
    expect(await open.ended).toEqual({ by: "gateway", code: 1001 })
    const toClient = frame(closing(1001, "bye"), { opcode: CLOSE })
    expect((await open.client.until(toClient.length)).equals(toClient)).toBe(true)
    const toProvider = await open.provider.until(toClient.length + 4)
    expect(toProvider[1]! & 0x80, "masked").toBe(0x80)
    await send("client", masked(closing(1001, ""), { opcode: CLOSE }))
    await send("provider", frame(closing(1001, ""), { opcode: CLOSE }))
    await Promise.all([open.client.ended, open.provider.ended])
  })
})

describe("the end", () => {
  test("is told with the code of the side that closed first", async () => {
    await start()
    await send("provider", frame(closing(4321, "over"), { opcode: CLOSE }))
    await send("client", masked(closing(1000, ""), { opcode: CLOSE }))
    open.provider.socket.end()
    open.client.socket.end()
    expect(await open.ended).toEqual({ by: "provider", code: 4321 })
  })

  test("of one side's sending leaves the other direction open", async () => {
    await start()
    open.provider.socket.end(frame("the last answer"))
    await open.client.ended
    const late = masked("still")
    await send("client", late)
    expect((await open.provider.until(late.length)).equals(late)).toBe(true)
    open.client.socket.end()
    await open.provider.ended
    expect(await open.ended).toEqual({ by: "provider", code: undefined })
  })

  test("of a connection that is reset ends the other one, after what was sent for it", async () => {
    await start()
    const answer = frame("before the reset")
    await send("provider", answer)
    open.provider.socket.resetAndDestroy()
    expect((await open.client.until(answer.length)).equals(answer)).toBe(true)
    await open.client.ended
    expect(await open.ended).toEqual({ by: "provider", code: undefined })
  })

  test("comes for both sides when the gateway breaks off", async () => {
    await start()
    open.tunnel.destroy()
    await Promise.all([open.client.ended, open.provider.ended])
    expect(await open.ended).toEqual({ by: "gateway", code: undefined })
  })

  test("comes when a side has left before the tunnel opened", async () => {
    const other = await openTestTunnel()
    other.near.client.destroy()
    await once(other.near.client, "close")
    await other.ended
    await other.provider.ended
    await start()
    other.close()
  })
})

test.each(["client", "provider"] as const)(
  "a %s that does not read stops the other side, and is disconnected in the end",
  async (slow) => {
    await start({ writeTimeoutMs: 200 })
    const other = slow === "client" ? "provider" : "client"
    open[slow].socket.pause()
    const piece = frame(Buffer.alloc(64 * 1024), { mask: other === "client" ? MASK : undefined! })
    // Writes until no system buffer takes any more.
    const fill = () => {
      while (open[other].socket.write(piece));
    }
    open[other].socket.on("drain", fill)
    fill()
    expect(await open.ended).toEqual({ by: "gateway", code: undefined })
    await open[other].closed
  },
)

function closing(code: number, reason: string): Buffer {
  const payload = Buffer.alloc(2)
  payload.writeUInt16BE(code)
  return Buffer.concat([payload, Buffer.from(reason)])
}
