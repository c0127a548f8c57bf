/**
 * Removes `s3_key` from the rows of requests whose objects will never exist, and returns the ids of the rows that it
 * found: `UPDATE llm_requests SET s3_key = NULL WHERE id = ANY($1::uuid[]) RETURNING id`.
 */
export type ClearBodyKeys = (requestIds: readonly string[]) => Promise<readonly string[]>

export interface KeyClearing {
  /** How many rows have not been found yet. */
  readonly size: number
  add(requestId: string): void
  close(): void
}

const MIN_PAUSE_MS = 250
const MAX_PAUSE_MS = 30_000
/** A row that is not found so often, by a database that answers, does not come any more. */
const MAX_ATTEMPTS = 200
const MAX_WAITING = 10_000

/** Retries until the row is there, because the row itself may wait for the database. */
export function createKeyClearing(
  clearKeys: ClearBodyKeys,
  on: { onCleared(requestId: string): Promise<void>; onIdle(): void },
): KeyClearing {
  const attempts = new Map<string, number>()
  let timer: NodeJS.Timeout | undefined
  let pauseMs = MIN_PAUSE_MS
  let isClosed = false

  async function run(): Promise<void> {
    const requested = [...attempts.keys()]
    const found = await clearKeys(requested).then(
      (ids) => new Set(ids),
      () => undefined,
    )
    for (const id of found === undefined ? [] : requested) {
      const count = attempts.get(id)! + 1
      if (found?.has(id) || count > MAX_ATTEMPTS) {
        attempts.delete(id)
        if (!isClosed) await on.onCleared(id).catch(() => {})
      } else attempts.set(id, count)
    }
    pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)
    timer = undefined
    if (attempts.size > 0) schedule()
    else on.onIdle()
  }

  function schedule(): void {
    if (!isClosed) timer ??= setTimeout(run, pauseMs).unref()
  }

  return {
    get size() {
      return attempts.size
    },
    add(requestId) {
      if (attempts.size >= MAX_WAITING) return
      attempts.set(requestId, 0)
      if (timer === undefined) pauseMs = MIN_PAUSE_MS
      schedule()
    },
    close() {
      isClosed = true
      clearTimeout(timer)
    },
  }
}
