import { createRandom, type Random } from "../providers/_random.ts"

/** The number of inputs per fuzzer: FUZZ_COUNT, or else a few. `npm run fuzz`, which CI runs every night, has many. */
export const COUNT = Number(process.env["FUZZ_COUNT"] ?? 1000)
/** FUZZ_SEED repeats a run. Without it, every run has new inputs. */
export const SEED = Number(process.env["FUZZ_SEED"] ?? Date.now() % 2 ** 31)
/** The timeout of a fuzzer: 10 ms per input, and at least the timeout of a check. */
export const TIMEOUT_MS = Math.max(240_000, COUNT * 10)

/**
 * Calls `one` COUNT times, `lanes` at a time. Each input has its own seed, and a failure names it:
 * `FUZZ_SEED=<seed> FUZZ_COUNT=1` produces the same input again.
 */
export async function fuzz(
  name: string,
  one: (random: Random, seed: number) => Promise<void> | void,
  { lanes = 1 } = {},
): Promise<void> {
  console.log(`fuzz ${name}: ${COUNT} inputs, FUZZ_SEED=${SEED}`)
  let next = 0
  const lane = async () => {
    while (next < COUNT) {
      const seed = SEED + next++
      try {
        await one(createRandom(seed), seed)
      } catch (error) {
        next = COUNT
        throw new Error(`${name} fails with FUZZ_SEED=${seed} FUZZ_COUNT=1: ${(error as Error).message}`, {
          cause: error,
        })
      }
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

/** Damages a text as networks and attackers do: it flips, removes, duplicates, moves and inserts bytes. */
export function mutate(random: Random, text: string, words: readonly string[], most = 4): string {
  let out = text
  for (let count = 1 + random.below(most); count > 0; count--) {
    const at = random.below(out.length + 1)
    const end = Math.min(out.length, at + random.below(12))
    switch (random.below(7)) {
      case 0:
        out = out.slice(0, at) + String.fromCharCode(random.below(256)) + out.slice(at + 1)
        break
      case 1:
        out = out.slice(0, at) + out.slice(end)
        break
      case 2:
        out = out.slice(0, end) + out.slice(at)
        break
      case 3:
      case 4:
        out = out.slice(0, at) + random.one(words) + out.slice(at)
        break
      case 5:
        out = out.slice(0, at) + random.one(words) + out.slice(end)
        break
      default: {
        const lines = out.split("\r\n")
        lines.splice(random.below(lines.length), 0, random.one(lines))
        out = lines.join("\r\n")
      }
    }
  }
  return out
}
