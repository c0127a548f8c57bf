/**
 * A histogram of latencies as one whole number, which the database can add up (majordomo_latency in migrations/): a request
 * in bucket b counts 10^(10 b). The ten digits of a bucket are its number of requests, so it has room for ten billion.
 *
 * Bucket b > 0 reaches from 9.5 * 1.1^(b - 1) to 9.5 * 1.1^b ms. A value is shown as the harmonic mean of the least and the
 * greatest whole number in between. It is therefore at most 4.8 % above or below the true one, and rounding adds at most
 * 0.5 ms. Bucket 0 has the requests of 1 to 9 ms, which are shown as 9 ms.
 */
const BUCKET_RATIO = 1.1
const FIRST_BOUND_MS = 9.5
const DIGITS_PER_BUCKET = 10

/** How many requests have which latency, in ascending order. */
type Histogram = readonly { readonly ms: number; readonly requests: number }[]

/** Reads a histogram from its digits. */
export function parseHistogram(digits: string): Histogram {
  const buckets: { ms: number; requests: number }[] = []
  for (let end = digits.length, bucket = 0; end > 0; end -= DIGITS_PER_BUCKET, bucket++) {
    const requests = Number(digits.slice(Math.max(0, end - DIGITS_PER_BUCKET), end))
    if (requests > 0) buckets.push({ ms: toMilliseconds(bucket), requests })
  }
  return buckets
}

/** The number of requests in a histogram. */
export function countRequests(histogram: Histogram): number {
  return histogram.reduce((sum, { requests }) => sum + requests, 0)
}

/** Returns the least latency that a share (0 to 1) of the requests does not exceed. undefined: there are no requests. */
export function findPercentile(histogram: Histogram, share: number): number | undefined {
  const rank = Math.ceil(share * countRequests(histogram))
  let counted = 0
  for (const { ms, requests } of histogram) {
    counted += requests
    if (counted >= rank) return ms
  }
  return undefined
}

function toMilliseconds(bucket: number): number {
  const upTo = (bound: number) => Math.ceil(FIRST_BOUND_MS * BUCKET_RATIO ** bound) - 1
  const greatest = upTo(bucket)
  const least = bucket === 0 ? greatest : upTo(bucket - 1) + 1
  return Math.round((2 * least * greatest) / (least + greatest))
}
