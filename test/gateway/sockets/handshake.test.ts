import { once } from "node:events"
import { afterEach, expect, test } from "vitest"
import type WebSocket from "ws"
import type { Pipeline } from "../../support/pipeline.ts"
import { connectSocket, type SocketProvider, startSocketPipeline, startSocketProvider } from "./_sockets.ts"

let pipeline: Pipeline
let provider: SocketProvider

afterEach(async () => {
  await pipeline.close()
  await provider.close()
})

test("messages pass in both directions, and the session has one row", async () => {
  provider = await startSocketProvider()
  pipeline = await startSocketPipeline(provider.origin)
  const client = await connectSocket(pipeline)
  const far = await provider.accepted()
  client.send("hello")
  expect(await nextText(far)).toBe("hello")
  far.send("good day")
  expect(await nextText(client)).toBe("good day")
  client.close(1000, "done")
  const [code, reason] = (await once(far, "close")) as [number, Buffer]
  expect([code, String(reason)]).toEqual([1000, "done"])
  const row = await pipeline.nextRecord()
  expect(row).toMatchObject({ status_code: 101, request_path: "/v1/realtime", outcome: "complete" })
  expect(pipeline.gateway.unrecordedRequests()).toBe(0)
  expect(pipeline.records).toHaveLength(1)
})

async function nextText(socket: WebSocket): Promise<string> {
  const [data] = (await once(socket, "message")) as [Buffer]
  return data.toString()
}
