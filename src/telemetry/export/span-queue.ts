import type { Sent } from "./sender.ts"
import type { Span } from "./span.ts"

/** `queue_full`: the receiver is too slow or away. `failed`: it did not take them. `rejected`: it took others of a batch. */
type DropReason = "queue_full" | "failed" | "rejected"

export interface SpanStats {
  readonly waitingSpans: number
  readonly exportedSpans: number
  readonly droppedSpans: Readonly<Record<DropReason, number>>
}

interface SpanQueue {
  /** Takes a span, or drops and counts it if the queue is full. Never throws and never waits. */
  add(span: Span): void
  stats(): SpanStats
  /** Sends everything that waits. */
  finish(): Promise<void>
}

const MAX_WAITING = 2048
const BATCH = 512

/**
 * Creates a bounded queue whose spans are sent in batches: when there is a whole batch, or some time after the first span.
 * One batch is sent at a time, so that a slow receiver costs no more memory.
 * @param send sends a batch; never rejects
 */
export function createSpanQueue(send: (batch: readonly Span[]) => Promise<Sent>, batchDelayMs: number): SpanQueue {
  const droppedSpans: Record<DropReason, number> = { queue_full: 0, failed: 0, rejected: 0 }
  let waiting: Span[] = []
  let exportedSpans = 0
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  async function sendAll(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH)
      waiting = waiting.slice(BATCH)
      const sent = await send(batch)
      const rejected = sent.state === "accepted" ? Math.min(sent.rejected, batch.length) : 0
      droppedSpans.rejected += rejected
      if (sent.state === "failed") droppedSpans.failed += batch.length
      else exportedSpans += batch.length - rejected
    }
  }

  function start(): void {
    clearTimeout(timer)
    timer = undefined
    running ??= sendAll().finally(() => {
      running = undefined
    })
  }

  return {
    add(span) {
      if (waiting.length >= MAX_WAITING) droppedSpans.queue_full++
      else waiting.push(span)
      if (running !== undefined) return
      if (waiting.length >= BATCH) start()
      else timer ??= setTimeout(start, batchDelayMs).unref()
    },
    stats: () => ({ waitingSpans: waiting.length, exportedSpans, droppedSpans: { ...droppedSpans } }),
    async finish() {
      while (running !== undefined || waiting.length > 0) {
        start()
        await running
      }
    },
  }
}
