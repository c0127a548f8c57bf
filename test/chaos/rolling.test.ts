import { Agent } from "node:http"
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { connectRaw } from "../support/raw.ts"
import { firstKey, lastNumbers, readRows, toAccount } from "./_books.ts"
import { askOnce, tagsSeen } from "./_load.ts"
import { report, times } from "./_mode.ts"

const RESTARTS = times(4, 20)
const PER_SECOND = 200
const CLIENTS = 16
/** How often a client tries a request that no gateway accepts, like a load balancer. */
const MAX_TRIES = 100
/**
 * Errors after which a request can be sent again because its response had not started: SDKs do so themselves. The system
 * resets connections that it had accepted, but the gateway had not, when the gateway closes its listening socket.
 */
const MAY_BE_ASKED_AGAIN = /ECONNREFUSED|ECONNRESET|socket hang up|^503 .*shutting_down/

let fakeProvider: FakeProvider
let url: string
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
  url = (await createTestDatabase()).url
})
afterAll(() => fakeProvider.close())

it("[SHU-11] two gateways on one database are restarted alternately under load: a client that tries the other one when it gets no response sees no failure, no request reaches the provider twice, and each has one row", async () => {
  const homes = [0, 1].map(() =>
    createInstallation({
      DATABASE_URL: url,
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PRICING_REMOTE_URL: "",
      MAJORDOMO_SERVER_SHUTDOWN_TIMEOUT: "120s",
    }),
  )
  onTestFinished(async () => void (await Promise.all(homes.map((home) => home.remove()))))
  const serve = (which: number) => homes[which]!.serve({ args: ["--quiet"] })
  const gateways: RunningGateway[] = [await serve(0), await serve(1)]
  const key = firstKey(gateways[0]!)
  const agent = new Agent({ keepAlive: true })
  const answered: string[] = []
  const failed: string[] = []
  let tries = 0
  let resets = 0
  let asked = 0
  let isStopped = false

  async function client(): Promise<void> {
    while (!isStopped) {
      const tag = `roll-${asked++}`
      let why: string | undefined
      for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
        const { port } = gateways[(asked + attempt) % 2]!
        tries++
        why = await askOnce({ key, agent, port, tag, stream: asked % 4 === 0 })
        if (why === undefined || !MAY_BE_ASKED_AGAIN.test(why)) break
        if (/ECONNRESET|hang up/.test(why)) resets++
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      if (why === undefined) answered.push(tag)
      else failed.push(why)
      await new Promise((resolve) => setTimeout(resolve, (1000 * CLIENTS) / PER_SECOND))
    }
  }

  fakeProvider.always({ delayMs: 20 })
  const clients = Array.from({ length: CLIENTS }, client)
  const ends: string[] = []
  for (let restart = 0; restart < RESTARTS; restart++) {
    const before = answered.length
    const { code, stderr } = await gateways[restart % 2]!.stop()
    expect(code).toBe(0)
    ends.push(stderr)
    gateways[restart % 2] = await serve(restart % 2)
    await expect.poll(() => answered.length).toBeGreaterThan(before + 100)
  }
  isStopped = true
  await Promise.all(clients)
  agent.destroy()
  for (const gateway of gateways) ends.push((await gateway.stop()).stderr)
  const account = toAccount(await readRows(url), [...answered, ...tagsSeen(fakeProvider)])
  report("rolling restarts", {
    restarts: RESTARTS,
    requests: asked,
    "asked again": tries - asked,
    resets,
    failed: failed.length,
    rows: account.rows,
    lost: account.lost.length,
    twice: account.duplicates.length,
  })
  expect([...new Set(failed)]).toEqual([])
  expect(tagsSeen(fakeProvider).length).toBe(asked)
  expect(tries).toBeGreaterThan(asked)
  expect(account).toMatchObject({ rows: asked, lost: [], duplicates: [], died: 0 })
  for (const end of ends) expect(lastNumbers(end)).toMatchObject({ waiting: 0, rejected: 0, dropped: 0 })
}, 400_000)

it("[SHU-11] a request that arrives on an idle connection just after SIGTERM gets a 503, not a reset", async () => {
  const home = createInstallation({ DATABASE_URL: url, MAJORDOMO_PRICING_REMOTE_URL: "" })
  onTestFinished(() => home.remove())
  const gateway = await home.serve({ args: ["--quiet"] })
  const client = await connectRaw(gateway.port)
  const text = "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n"
  client.send(text)
  await client.until(/^HTTP\/1\.1 401 [\s\S]*\}/)
  const stopped = gateway.stop()
  await expect.poll(() => gateway.stderr, { interval: 5 }).toContain("a second signal ends the process at once")
  client.send(text)
  const answer = await client.closed()
  expect(answer).toMatch(/HTTP\/1\.1 503 [\s\S]*Connection: close[\s\S]*shutting_down/i)
  expect((await stopped).code).toBe(0)
})
