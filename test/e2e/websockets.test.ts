import { afterAll, afterEach, beforeAll, expect, it } from "vitest"
import type WebSocket from "ws"
import { firstKey, metric } from "../chaos/_books.ts"
import {
  answerNext,
  begun,
  closed,
  collect,
  completed,
  create,
  nextMessage,
  typesUntil,
} from "../gateway/sockets/_responses.ts"
import { connectSocket, type SocketProvider, startSocketProvider } from "../gateway/sockets/_sockets.ts"
import { createInstallation, type Installation, type RunningGateway, toComplaints } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"

let provider: SocketProvider
const homes: Installation[] = []
beforeAll(async () => {
  provider = await startSocketProvider()
})
afterEach(async () => {
  await Promise.all(homes.splice(0).map((home) => home.remove()))
})
afterAll(() => provider.close())

async function install(settings: Readonly<Record<string, string>> = {}): Promise<Installation> {
  const home = createInstallation({
    DATABASE_URL: (await createTestDatabase()).url,
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: provider.origin,
    MAJORDOMO_PRICING_REMOTE_URL: "",
    ...settings,
  })
  homes.push(home)
  return home
}

interface Row {
  readonly id: string
  readonly outcome: string
  readonly model: string
  readonly cost_status: string
  readonly transport: string
  readonly websocket_id: string
}

interface Pair {
  readonly client: WebSocket
  readonly far: WebSocket
}

async function open({ port }: RunningGateway, key: string): Promise<Pair> {
  const accepted = provider.accepted().then(collect)
  const client = await connectSocket({ port }, { path: "/v1/responses", headers: { "x-majordomo-key": key } })
  client.on("error", () => {})
  return { client: collect(client), far: await accepted }
}

async function respond({ client, far }: Pair): Promise<void> {
  client.send(create())
  await answerNext(far)
  await typesUntil(client, "response.completed")
}

async function startResponse({ client, far }: Pair): Promise<void> {
  client.send(create())
  await nextMessage(far)
  for (const message of begun()) far.send(message)
  await typesUntil(client, "response.output_text.delta")
}

async function readRows(home: Installation): Promise<Row[]> {
  return (await home.runJson(["usage", "requests"])) as Row[]
}

it("a killed gateway leaves a row for each response that was running, and none for those that had ended", async () => {
  const home = await install()
  const gateway = await home.serve()
  const key = firstKey(gateway)
  const [first, second] = [await open(gateway, key), await open(gateway, key)]
  await respond(first)
  await startResponse(first)
  await startResponse(second)
  const { client } = await open(gateway, key)
  const ended = [first.client, second.client, client].map(closed)
  await gateway.stop("SIGKILL")
  await Promise.all(ended)
  const next = await home.serve()
  await expect.poll(() => metric(next, "majordomo_rows_waiting")).toBe(0)
  await expect.poll(async () => (await readRows(home)).length).toBe(4)
  const rows = await readRows(home)
  expect(rows.map(({ outcome, model }) => `${outcome} ${model}`).toSorted()).toEqual([
    "complete gpt-5-mini-2025-08-07",
    "gateway_died ",
    "gateway_died gpt-5-mini",
    "gateway_died gpt-5-mini",
  ])
  expect(rows.every(({ transport, websocket_id }) => transport === "websocket" && websocket_id)).toBe(true)
  await next.stop()
})

it("workers share limits and metrics of sessions, and SIGTERM ends sessions when their response has ended", async () => {
  const home = await install({ MAJORDOMO_SERVER_WORKERS: "2", MAJORDOMO_SERVER_SHUTDOWN_TIMEOUT: "60s" })
  await home.run(["migrate"])
  await home.run(["limits", "create", "seven", "--measure", "requests", "--amount", "7", "--window", "total"])
  const gateway = await home.serve()
  const key = firstKey(gateway)
  const pairs: Pair[] = []
  const busy = await open(gateway, key)
  await startResponse(busy)
  // Each connection may come to either worker.
  for (let i = 0; i < 7; i++) pairs.push(await open(gateway, key))
  expect(await metric(gateway, "majordomo_open_websockets")).toBe(8)
  const statuses = await Promise.all(
    pairs.map(async ({ client, far }) => {
      far.on("message", () => {
        for (const message of [...begun(), completed()]) far.send(message)
      })
      client.send(create())
      const { type } = JSON.parse(await nextMessage(client)) as { readonly type: string }
      if (type !== "error") await typesUntil(client, "response.completed")
      far.removeAllListeners("message")
      return type
    }),
  )
  expect(statuses.filter((type) => type !== "error")).toHaveLength(6)
  const order: string[] = []
  const ends = pairs.map(({ client }) => closed(client).then(([code]) => order.push(`idle ${code}`)))
  const end = closed(busy.client).then(([code]) => order.push(`busy ${code}`))
  const stopped = gateway.stop()
  await Promise.all(ends)
  busy.far.send(completed())
  await end
  const { code, stderr } = await stopped
  expect([code, toComplaints(stderr)]).toEqual([0, ""])
  expect(order).toEqual([...pairs.map(() => "idle 1001"), "busy 1001"])
  const outcomes = (await readRows(home)).map(({ outcome }) => outcome)
  expect(outcomes.filter((outcome) => outcome === "complete")).toHaveLength(7)
  expect(outcomes.filter((outcome) => outcome === "rejected")).toHaveLength(1)
})
