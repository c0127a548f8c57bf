import { describe, expect, test } from "vitest"
import type { PerMessageDeflateOptions } from "ws"
import { HANG_MS } from "../../support/until.ts"
import { messagesOf, type Recording, recordSession } from "./_recording.ts"
import { openTestTunnel, writePieces } from "./_tunnel.ts"

const COMPRESSIONS: readonly (readonly [string, PerMessageDeflateOptions | false])[] = [
  ["without compression", false],
  ["with permessage-deflate", { threshold: 0 }],
  [
    "with permessage-deflate without context takeover",
    { threshold: 0, clientNoContextTakeover: true, serverNoContextTakeover: true },
  ],
]

/** So many tunnels are open at the same time. */
const AT_ONCE = 16

describe.each(COMPRESSIONS)("a recorded session %s, cut at every byte in both directions", (_name, compression) => {
  test.each([
    ["passes unchanged and is read whole", false],
    ["passes unchanged and is read whole while each message of the client waits for a verdict", true],
  ])("%s", { timeout: 2 * HANG_MS }, async (_rule, isGated) => {
    const recording = await recordSession(compression)
    const cuts = Array.from({ length: Math.max(recording.client.length, recording.provider.length) }, (_, at) => at)
    await Promise.all(Array.from({ length: AT_ONCE }, () => replayNext()))

    async function replayNext(): Promise<void> {
      for (let cut = cuts.pop(); cut !== undefined; cut = cuts.pop()) await replay(recording, cut, isGated)
    }
  })
})

async function replay(recording: Recording, cut: number, isGated: boolean): Promise<void> {
  const { extensions, sent } = recording
  const open = await openTestTunnel({ extensions, isGated })
  const { near, client, provider, seen, unread } = open
  await Promise.all([
    writePieces(client.socket, near.client, [recording.client.subarray(0, cut), recording.client.subarray(cut)]),
    writePieces(provider.socket, near.provider, [
      recording.provider.subarray(0, cut),
      recording.provider.subarray(cut),
    ]),
  ])
  const toProvider = await provider.until(recording.client.length)
  const toClient = await client.until(recording.provider.length)
  provider.socket.end()
  client.socket.end()
  const end = await open.ended
  expect(toClient.equals(recording.provider), `to the client, cut at ${cut}`).toBe(true)
  // Of messages that wait, only those with a ping between their fragments are sent in another order of frames.
  if (isGated) expect(toProvider.length).toBe(recording.client.length)
  else expect(toProvider.equals(recording.client), `to the provider, cut at ${cut}`).toBe(true)
  expect(messagesOf(seen, "client"), `of the client, cut at ${cut}`).toEqual(sent.client)
  expect(messagesOf(seen, "provider"), `of the provider, cut at ${cut}`).toEqual(sent.provider)
  expect(unread).toEqual([])
  expect(end.code).toBe(4001)
  open.close()
}
