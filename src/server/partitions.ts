import type { Database } from "../database/_database.ts"
import { addPartitions } from "../database/partitions.ts"

const EVERY_MS = 6 * 3_600_000
const RETRY_MS = 10 * 60_000

interface PartitionsOptions {
  readonly database: Database
  log(level: "info" | "warn", line: string): void
  readonly everyMs?: number
}

/**
 * Adds the partitions of the coming months, at the start and then every six hours, so that a gateway that runs for years
 * always has them ahead. All gateways do so, and the first one adds them.
 */
export function startPartitions({ database, log, everyMs = EVERY_MS }: PartitionsOptions): { close(): Promise<void> } {
  let isClosed = false
  let timer: NodeJS.Timeout | undefined
  let hasWarned = false
  let running = run()

  async function run(): Promise<void> {
    let nextMs = everyMs
    try {
      const added = await addPartitions(database, { attempts: 1, delayMs: 0 })
      hasWarned = false
      if (added > 0) log("info", `partitions: added ${added} for the coming months`)
    } catch (error) {
      nextMs = Math.min(RETRY_MS, everyMs)
      const reason = error instanceof Error ? error.message : String(error)
      if (!isClosed && !hasWarned) {
        log(
          "warn",
          `partitions: those of the coming months could not be added (${reason}). It is tried again every ten minutes; requests without a partition of their own are stored in llm_requests_default`,
        )
        hasWarned = true
      }
    }
    if (isClosed) return
    timer = setTimeout(() => {
      running = run()
    }, nextMs).unref()
  }

  return {
    async close() {
      isClosed = true
      clearTimeout(timer)
      await running
    },
  }
}
