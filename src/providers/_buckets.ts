import type { Usage } from "../core/usage.ts"

/** Totals and their shares as providers report them. `input` includes `cached`, `written` and its modalities. */
interface Totals {
  readonly input: number
  readonly cached: number
  readonly written?: number
  readonly written1h?: number
  readonly written12h?: number
  readonly inputAudio?: number
  readonly inputImage?: number
  readonly cachedAudio?: number
  readonly cachedImage?: number
  readonly output: number
  readonly reasoning: number
  readonly outputAudio?: number
  readonly outputImage?: number
}

/**
 * Returns disjoint buckets whose sums are exactly the totals. A share that does not fit is clamped. The shares that
 * providers report most reliably come first: reads, writes, modalities; and reasoning, audio, image.
 */
export function toBuckets(totals: Totals): Usage {
  const cached = Math.min(totals.cached, totals.input)
  const written = Math.min(totals.written ?? 0, totals.input - cached)
  const written1h = Math.min(totals.written1h ?? 0, written)
  const written12h = Math.min(totals.written12h ?? 0, written - written1h)
  const cacheReadAudio = Math.min(totals.cachedAudio ?? 0, totals.inputAudio ?? 0, cached)
  const cacheReadImage = Math.min(totals.cachedImage ?? 0, totals.inputImage ?? 0, cached - cacheReadAudio)
  let uncached = totals.input - cached - written
  const inputAudio = Math.min((totals.inputAudio ?? 0) - cacheReadAudio, uncached)
  uncached -= inputAudio
  const inputImage = Math.min((totals.inputImage ?? 0) - cacheReadImage, uncached)
  uncached -= inputImage
  const reasoning = Math.min(totals.reasoning, totals.output)
  let output = totals.output - reasoning
  const outputAudio = Math.min(totals.outputAudio ?? 0, output)
  output -= outputAudio
  const outputImage = Math.min(totals.outputImage ?? 0, output)
  output -= outputImage
  return {
    input: uncached,
    inputAudio,
    inputImage,
    cacheRead: cached - cacheReadAudio - cacheReadImage,
    cacheReadAudio,
    cacheReadImage,
    cacheWrite: written - written1h - written12h,
    cacheWrite1h: written1h,
    cacheWrite12h: written12h,
    output,
    reasoning,
    outputAudio,
    outputImage,
  }
}
