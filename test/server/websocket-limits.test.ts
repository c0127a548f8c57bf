import { createServer } from "node:http"
import { afterAll, beforeAll, expect, test } from "vitest"
import type WebSocket from "ws"
import { callLocally } from "../../src/api/call.ts"
import { keys } from "../../src/api/routes/keys.ts"
import { begun, closed, collect, completed, create, nextMessage, typesUntil } from "../gateway/sockets/_responses.ts"
import { connectSocket, type SocketProvider, startSocketProvider } from "../gateway/sockets/_sockets.ts"
import { type Gateways, startGateways } from "./_gateways.ts"

const USED = { input: 100, output: 100 }
/** What each response costs: 100 tokens at 0.25 USD, and 100 at 2 USD per million. */
const COST = 0.000_225
const SOCKETS = 20
const TURNS = 5
/** In the message of a rejection that says nothing about the next request. */
const FOR_NOW = /Try again (?:shortly|when one of them has ended)/

/** Answers every request over HTTP, and each `response.create` of a WebSocket. */
const http = createServer((_request, response) => {
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
  response.setHeader("content-type", "application/json")
  response.end(JSON.stringify({ id: "x", model: "gpt-4o-mini", choices: [], usage }))
})
let provider: SocketProvider
let gateways: Gateways
beforeAll(async () => {
  http.listen(0, "127.0.0.1")
  provider = await startSocketProvider({ server: http, port: undefined })
  provider.server.on("connection", (far) => {
    far.on("message", () => {
      for (const message of [...begun(), completed(USED)]) far.send(message)
    })
  })
  gateways = await startGateways(provider.origin)
})
afterAll(async () => {
  await provider.close()
  await gateways.close()
  http.close()
})

interface Client {
  readonly id: string
  readonly key: string
}

async function createKey(name: string): Promise<Client> {
  return (await callLocally(keys.create, gateways.caller, { name })) as unknown as Client
}

async function open(gateway: number, { key }: Client, team: string): Promise<WebSocket> {
  const headers = { "x-majordomo-key": key, "x-majordomo-team": team }
  const { port } = gateways.servers[gateway]!
  return collect(await connectSocket({ port }, { path: "/v1/responses", headers }))
}

/**
 * Sends several requests, one after the other, and returns how each was answered: by 200, or by the status of an error. A
 * rejection is for now if other gateways hold what they may not need, or a response has just ended. On a busy machine it
 * takes longer until that is known, so the request is repeated, as SDKs do it.
 */
async function askOnOne(socket: WebSocket, turns: number): Promise<number[]> {
  const statuses: number[] = []
  for (let left = turns; left > 0; ) {
    socket.send(create({ max_output_tokens: 100 }))
    const text = await nextMessage(socket)
    const first = JSON.parse(text) as { readonly type: string; readonly status?: number }
    if (first.type !== "error") await typesUntil(socket, "response.completed")
    statuses.push(first.type === "error" ? first.status! : 200)
    // The gateway has waited itself before such an answer, so that the next request need not.
    if (!FOR_NOW.test(text)) left--
  }
  return statuses
}

async function askOnAll(team: string, turns: number): Promise<number[]> {
  const client = await createKey(team)
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, (_, i) => open(i % 2, client, team)))
  const statuses = (await Promise.all(sockets.map((socket) => askOnOne(socket, turns)))).flat()
  for (const socket of sockets) socket.close()
  await gateways.settled()
  return statuses
}

async function readRows(team: string) {
  const { rows } = await gateways.sql.query<{ readonly outcome: string; readonly n: number; readonly cost: string }>(
    `SELECT outcome, count(*)::int AS n, coalesce(sum(total_cost), 0)::text AS cost FROM llm_requests
     WHERE raw_metadata ->> 'Team' = $1 AND status_code <> 101 GROUP BY outcome`,
    [team],
  )
  return Object.fromEntries(rows.map(({ outcome, n, cost }) => [outcome, { n, cost: Number(cost) }]))
}

test("20 sockets of two gateways at once never exceed a budget that reserves the maximum", async () => {
  const amount = 20 * COST
  await gateways.limit("budget", { measure: "cost", amount: amount.toFixed(6), estimate: "maximum" })
  const statuses = await askOnAll("budget", TURNS)
  const rows = await readRows("budget")
  const answered = statuses.filter((status) => status === 200).length
  expect(new Set(statuses)).toEqual(new Set([200, 429]))
  expect(rows["complete"]).toEqual({ n: answered, cost: expect.closeTo(answered * COST, 9) })
  expect(rows["complete"]!.cost).toBeLessThanOrEqual(amount)
  expect(rows["rejected"]).toEqual({ n: statuses.length - answered, cost: 0 })
})

test("a limit of requests counts the responses of all sockets exactly", async () => {
  await gateways.limit("rate", { measure: "requests", amount: "30" })
  const statuses = await askOnAll("rate", TURNS)
  expect(statuses.filter((status) => status === 200)).toHaveLength(30)
  expect((await readRows("rate"))["complete"]!.n).toBe(30)
})

test("a limit of concurrency counts running responses, and not open sockets", async () => {
  await gateways.limit("busy", { measure: "concurrency", amount: "1" })
  const client = await createKey("busy")
  const sockets = [await open(0, client, "busy"), await open(0, client, "busy"), await open(0, client, "busy")]
  for (const socket of sockets) {
    const statuses = await askOnOne(socket, 2)
    expect(statuses.filter((status) => status === 200)).toHaveLength(2)
  }
  for (const socket of sockets) socket.close()
})

test("a key that is revoked ends its sessions on every gateway, and others go on", async () => {
  const [revoked, kept] = [await createKey("revoked"), await createKey("kept")]
  const ended = await Promise.all([open(0, revoked, "r"), open(1, revoked, "r"), open(2, revoked, "r")])
  const other = await open(0, kept, "k")
  const ends = Promise.all(ended.map(closed))
  await callLocally(keys.revoke, gateways.caller, { id: revoked.id } as never)
  expect((await ends).map(([code]) => code)).toEqual([1008, 1008, 1008])
  expect(await askOnOne(other, 1)).toEqual([200])
  other.close()
})
