import { setTimeout as delay } from "node:timers/promises"
import type { Database } from "./_database.ts"
import { toErrorCode } from "./failures.ts"

/** How often an attempt is repeated, and the pause before each repetition. */
export interface Retries {
  readonly attempts: number
  readonly delayMs: number
}

/** A batch holds the table for less time, so an attempt fails only because of a long report or a dump. */
const LOCK_TIMEOUT_MS = 200
const TIMEOUT_MS = 60_000

/** `lock_not_available`, a deadlock, and a conflict. */
const BUSY = /^(?:55P03|40P01|40001)$/

/**
 * Runs a statement that gives one row, in a transaction that gives up soon if it has to wait for a lock, because batches and
 * reports would queue behind it.
 */
export async function callShortly<Row>(
  db: Database,
  text: string,
  values: readonly unknown[] = [],
  timeoutMs = TIMEOUT_MS,
): Promise<Row> {
  return db.transaction(async (query) => {
    await query(`SELECT set_config('lock_timeout', '${LOCK_TIMEOUT_MS}ms', true)`)
    return (await query<Row>({ text, values, timeoutMs })).rows[0]!
  })
}

/** Repeats what failed because others held a lock. */
export async function attempt<T>(work: () => Promise<T>, { attempts, delayMs }: Retries): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (tries === attempts || !isBusy(error)) throw error
      await delay(delayMs)
    }
  }
}

/** Returns whether a statement failed because others held a lock. */
export function isBusy(error: unknown): boolean {
  return BUSY.test(toErrorCode(error) ?? "")
}
