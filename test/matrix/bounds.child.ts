// A gateway in a process of its own, which measures itself while its parent attacks it. Its argument is the address of
// the provider. It answers each message of its parent with a `Measurement`, and then begins to measure anew.
import { readFileSync, writeFileSync } from "node:fs"
import { startPipeline } from "../support/pipeline.ts"
import { watchStalls } from "../support/stalls.ts"

/** What the gateway measured since the last message. */
export interface Measurement {
  readonly port: number
  /** The most CPU time of the main thread for which one timer was late, in ms. A busy machine makes timers late, but not this. */
  readonly stallMs: number
  /** Resident memory in bytes: now, and the maximum. */
  readonly rss: number
  readonly peakRss: number
  readonly rows: number
  readonly openRequests: number
}

const gateway = await startPipeline({ upstream: process.argv[2]!, settings: { maxBodyBytes: 64 * 1024 * 1024 } })

const stalls = watchStalls()

process.on("message", () => {
  process.send!({
    port: gateway.port,
    stallMs: stalls.longestMs,
    rss: process.memoryUsage.rss(),
    peakRss: readPeak(),
    rows: gateway.records.length,
    openRequests: gateway.gateway.openRequests(),
  } satisfies Measurement)
  writeFileSync("/proc/self/clear_refs", "5") // Resets the maximum of the resident memory.
  stalls.reset()
})

process.on("disconnect", () => process.exit())

function readPeak(): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]) * 1024
}
