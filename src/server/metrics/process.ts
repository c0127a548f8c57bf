import { monitorEventLoopDelay } from "node:perf_hooks"
import { counter, gauge, type Metric, type Sample } from "../prometheus.ts"

const LAG_RESOLUTION_MS = 20

/** Measures this process: event loop, memory, CPU time. */
export function createProcessMetrics(): { collect(): Metric[]; close(): void } {
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS })
  lag.enable()

  /** Returns the lag since the last scrape. */
  function readLag(): Sample[] {
    const samples = [50, 99, 100].map((percent) => {
      const ms = lag.percentile(percent) / 1e6 - LAG_RESOLUTION_MS
      return { labels: { quantile: String(percent / 100) }, value: Math.max(0, ms) / 1000 }
    })
    lag.reset()
    return samples
  }

  return {
    collect() {
      const { user, system } = process.cpuUsage()
      return [
        {
          name: "majordomo_event_loop_lag_seconds",
          type: "summary",
          help: "How late timers ran since the last scrape. Quantile 1 is the maximum.",
          samples: readLag(),
          together: "max",
        },
        gauge("process_resident_memory_bytes", "Resident memory.", process.memoryUsage().rss),
        counter("process_cpu_seconds_total", "CPU time, user and system.", (user + system) / 1e6),
      ]
    },
    close: () => lag.disable(),
  }
}
