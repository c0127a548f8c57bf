import { createRequire } from "node:module"

/** Where PostgreSQL's program in WebAssembly gets its time and its random bytes. */
const TIME_MS = Date.UTC(2026, 0, 1)

/**
 * Calls `work` with a clock that stands still and bytes that are the same each time, so that initdb always makes the same
 * cluster. Only for a build: until `work` has ended, this holds for the whole process.
 */
export async function withFixedChance<T>(work: () => Promise<T>): Promise<T> {
  const nodeCrypto = createRequire(import.meta.url)("node:crypto") as { randomFillSync: unknown }
  const { Date: RealDate } = globalThis
  const { randomFillSync } = nodeCrypto
  let next = 0
  class FixedDate extends RealDate {
    constructor(...given: readonly unknown[]) {
      super(...((given.length === 0 ? [TIME_MS] : given) as [number]))
    }
    static override now(): number {
      return TIME_MS
    }
  }
  globalThis.Date = FixedDate as DateConstructor
  nodeCrypto.randomFillSync = (bytes: Uint8Array) => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = next++ * 197 + 13
    return bytes
  }
  try {
    return await work()
  } finally {
    globalThis.Date = RealDate
    nodeCrypto.randomFillSync = randomFillSync
  }
}
