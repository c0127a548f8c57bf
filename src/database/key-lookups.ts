import type { Caller } from "../core/call.ts"
import type { Database } from "./_database.ts"
import { findCallers } from "./keys.ts"

/** Statements are at least so far apart: 100 a second at most, however many keys are asked for. */
const APART_MS = 10

/**
 * Asks the database for keys by their hashes. A lone question goes at once; those that come soon after it share one
 * statement. So a flood of guessed keys costs the database a few statements, not one for each, and a good key that is
 * not remembered waits some ms longer in it.
 */
export function createKeyLookUps(db: Database): (hash: string) => Promise<Caller | undefined> {
  let next: { readonly hashes: string[]; readonly answer: Promise<ReadonlyMap<string, Caller>> } | undefined
  let freeAt = Number.NEGATIVE_INFINITY

  async function askSoon(hashes: readonly string[]): Promise<ReadonlyMap<string, Caller>> {
    const inMs = freeAt - performance.now()
    if (inMs > 0) await new Promise((resolve) => setTimeout(resolve, inMs))
    else await undefined
    next = undefined
    freeAt = performance.now() + APART_MS
    return findCallers(db, hashes)
  }

  return async (hash) => {
    if (next === undefined) {
      const hashes: string[] = []
      next = { hashes, answer: askSoon(hashes) }
    }
    const { hashes, answer } = next
    hashes.push(hash)
    return (await answer).get(hash)
  }
}
