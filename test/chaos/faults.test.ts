import { readFileSync } from "node:fs"
import { setTimeout as wait } from "node:timers/promises"
import { afterAll, beforeAll, expect, it } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type RunningGateway } from "../support/gateway.ts"
import { type PostgresServer, startPostgres } from "../support/postgres.ts"
import { firstKey, lastNumbers, metric, readRows, toAccount, untilDrained, verifyBooks } from "./_books.ts"
import { type Fault, faultsOf } from "./_faults.ts"
import { startLoad, tagsSeen } from "./_load.ts"
import { report, times } from "./_mode.ts"
import { startWire, type Wire } from "./_wire.ts"

const FAULT_MS = times(1500, 20_000)
const PER_SECOND = 200
/** Resident memory may not grow with the backlog. This much is allowed for garbage. */
const MEMORY_BOUND_MB = 120

let fakeProvider: FakeProvider
let server: PostgresServer
let wire: Wire
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
  server = await startPostgres({ settings: { synchronous_commit: "on", max_connections: "30" } })
  wire = await startWire(server.port)
})
afterAll(async () => {
  await wire.close()
  await fakeProvider.close()
  await server.remove()
})

it("[PGF-06] [PGF-08] [PGF-10] [PGF-13] whatever fault PostgreSQL has under load: no request fails, no row is lost or duplicated, and the counts add up", async () => {
  const home = createInstallation({
    MAJORDOMO_STORAGE_POSTGRES_URL: server.url.replace(`:${server.port}/`, `:${wire.port}/`),
    MAJORDOMO_STORAGE_POSTGRES_MAX_CONNS: "6",
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
    MAJORDOMO_PRICING_REMOTE_URL: "",
  })
  try {
    const gateway = await home.serve({ args: ["--quiet"] })
    const load = startLoad({ key: firstKey(gateway), clients: 16, prefix: "fault", perSecond: PER_SECOND })
    load.aim(gateway.port)
    await expect.poll(() => metric(gateway, "majordomo_rows_written_total")).toBeGreaterThan(100)
    const memory = watchMemory(gateway)
    for (const fault of faultsOf(server, wire, server.url)) await suffer(fault, gateway)
    const grownMb = memory.stop()
    const sent = await load.stop()
    const { code, stderr } = await gateway.stop()
    expect(code).toBe(0)
    const numbers = lastNumbers(stderr)
    const account = toAccount(await readRows(server.url), [...sent.answered, ...tagsSeen(fakeProvider)])
    report("all faults", {
      requests: sent.requests,
      failed: sent.failed.length,
      rows: account.rows,
      lost: account.lost.length,
      twice: account.duplicates.length,
      "memory +MB": grownMb,
      "p99 ms": sent.p99Ms.toFixed(1),
      "worst ms": sent.worstMs.toFixed(0),
    })
    expect(sent.failed).toEqual([])
    expect(account).toMatchObject({ rows: sent.requests, lost: [], duplicates: [], died: 0 })
    expect(numbers).toEqual({ accepted: sent.requests, written: sent.requests, waiting: 0, rejected: 0, dropped: 0 })
    expect(grownMb).toBeLessThan(MEMORY_BOUND_MB)
    expect(await verifyBooks(home)).toMatchObject({ balanced: true, written: sent.requests, lost: 0, wrong_days: [] })
  } finally {
    await home.remove()
  }
}, 400_000)

async function suffer(fault: Fault, gateway: RunningGateway): Promise<void> {
  await fault.begin()
  await wait(FAULT_MS) // the duration of the fault is what is tested
  const countWaiting = () => metric(gateway, "majordomo_rows_waiting")
  if (!fault.mayWrite) await expect.poll(countWaiting).toBeGreaterThan(0)
  const waiting = await countWaiting()
  await fault.heal()
  const drainedMs = await untilDrained(gateway)
  report(fault.name, { "lasted ms": FAULT_MS, waited: waiting, "drained after ms": Math.round(drainedMs) })
}

/** Returns the maximum growth of the process's memory, in MB. */
function watchMemory({ pid }: RunningGateway): { stop(): number } {
  const read = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024
  const before = read()
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, read())
  }, 100)
  return {
    stop() {
      clearInterval(timer)
      return Math.round(most - before)
    },
  }
}
