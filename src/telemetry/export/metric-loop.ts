import type { Message } from "../otlp/wire.ts"
import type { Measures } from "./measures.ts"
import type { Sent } from "./sender.ts"

export interface MetricStats {
  readonly metricExports: number
  readonly failedMetricExports: number
}

interface MetricLoop {
  stats(): MetricStats
  /** Sends the last values. */
  finish(): Promise<void>
}

interface LoopOptions {
  readonly measures: Measures
  readonly intervalMs: number
  now(): number
  /** Never rejects. */
  send(metrics: readonly Message[]): Promise<Sent>
}

/** Starts to send the metrics at an interval. An export that is lost loses nothing: the next one has all values again. */
export function startMetricLoop({ measures, intervalMs, now, send }: LoopOptions): MetricLoop {
  let metricExports = 0
  let failedMetricExports = 0
  let running: Promise<void> | undefined

  async function sendNow(): Promise<void> {
    const metrics = measures.collect(now())
    if (metrics === undefined) return
    const { state } = await send(metrics)
    if (state === "failed") failedMetricExports++
    else metricExports++
  }

  /** While a receiver hangs, no further export starts. */
  function start(): Promise<void> {
    running ??= sendNow().finally(() => {
      running = undefined
    })
    return running
  }

  const timer = setInterval(() => void start(), intervalMs).unref()
  return {
    stats: () => ({ metricExports, failedMetricExports }),
    async finish() {
      clearInterval(timer)
      await running
      await start()
    },
  }
}
