import { rssBytes } from "./_processes.mjs"

export const STREAMS = 5000
const SAMPLE_MS = 500
/** A stream takes twelve seconds, so that all of them are open before the first one ends. */
const script = { pieces: 6, pieceDelayMs: 2400 }

/**
 * Opens thousands of streams at once. Measures the memory of each, and whether all of them complete.
 *
 * @param {import("./_measure.mjs").Proxy} proxy
 * @param {ReturnType<typeof import("./_processes.mjs").startLoad>} load
 */
export async function measureStreams(proxy, load) {
  const before = rssBytes(proxy.pid)
  let highest = before
  const sampling = setInterval(() => {
    highest = Math.max(highest, rssBytes(proxy.pid))
  }, SAMPLE_MS)
  const counts = await load.run({
    port: proxy.port,
    path: "/v1/chat/completions",
    headers: {
      "content-type": "application/json",
      authorization: "Bearer sk-bench",
      "x-fake-provider": JSON.stringify(script),
      ...proxy.headers,
    },
    body: JSON.stringify({ model: "gpt-4o-mini", stream: true, messages: [{ role: "user", content: "hi" }] }),
    connections: STREAMS,
    durationMs: 60_000,
    once: true,
  })
  clearInterval(sampling)
  const complete = counts.requests - counts.failed
  return { streams: STREAMS, complete, before, highest, perStream: (highest - before) / STREAMS }
}
