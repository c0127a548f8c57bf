// npm run soak: [LOD-05] runs a load for SOAK_MINUTES (default 10): 200 requests per second, plus clients that disconnect (5 %)
// and providers that break off (1 %). Prints how many rows there are, and the slope of the memory, which must be flat.
import "./_typescript.mjs"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { rssBytes, startGateway, startLoad, startScript } from "./_processes.mjs"

const minutes = Number(process.env["SOAK_MINUTES"] ?? 10)
const SAMPLE_MS = 5000
const MAX_MB_PER_MINUTE = 2
/** In a shorter run, the slope is that of the warm-up. */
const MIN_MINUTES = 5
const LEAVE_EVERY_MS = 100
const BREAK_EVERY_MS = 500
const directory = mkdtempSync(join(tmpdir(), "majordomo-soak-"))
const script = { pieces: 20 }
const fakeProvider = await startScript("./fake-provider.mjs", { args: [JSON.stringify(script)], typescript: true })
const load = startLoad()
const gateway = await startGateway(
  {
    HOME: directory,
    MAJORDOMO_SERVER_PORT: "0",
    MAJORDOMO_STORAGE_DRIVER: "embedded",
    MAJORDOMO_STORAGE_DATA_DIR: join(directory, "data"),
    MAJORDOMO_PRICING_REMOTE_URL: "",
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: `http://127.0.0.1:${fakeProvider.port}`,
  },
  directory,
)
try {
  const key = /mdm_sk_[\w-]+/.exec(gateway.said())?.[0] ?? ""
  const headers = { "X-Majordomo-Key": key, Authorization: "Bearer sk-soak", "Content-Type": "application/json" }
  const body = (/** @type {boolean} */ stream) =>
    JSON.stringify({ model: "gpt-4o-mini", stream, messages: [{ role: "user", content: "Hi" }] })
  const until = performance.now() + minutes * 60_000
  /** @type {{ minute: number, megabytes: number, files: number }[]} */
  const samples = []
  let requests = 0
  let failed = 0
  let leaving = 0
  let broken = 0
  /** Starts a stream that does not complete. @param {object} how */
  const ask = (how) =>
    request({
      port: gateway.port,
      host: "127.0.0.1",
      path: "/v1/chat/completions",
      method: "POST",
      headers: { ...headers, "X-Fake-Provider": JSON.stringify(how) },
    })
      .on("error", () => {})
      .end(body(true))
  const disturbing = [
    setInterval(() => {
      leaving++
      const client = ask({ pieces: 50, pieceDelayMs: 20 })
      client.on("response", (answer) => answer.once("data", () => client.destroy()).on("error", () => {}))
    }, LEAVE_EVERY_MS),
    setInterval(() => {
      broken++
      ask({ pieces: 20, breakAfterPieces: broken % 5 }).on("response", (answer) =>
        answer.resume().on("error", () => {}),
      )
    }, BREAK_EVERY_MS),
  ]
  for (const timer of disturbing) timer.unref()
  while (performance.now() < until) {
    const stream = samples.length % 2 === 0
    const counts = await load.run({
      port: gateway.port,
      path: "/v1/chat/completions",
      headers,
      body: body(stream),
      connections: 100,
      perSecond: 200,
      durationMs: SAMPLE_MS,
    })
    requests += counts.requests
    failed += counts.failed
    samples.push({
      minute: minutes - (until - performance.now()) / 60_000,
      megabytes: rssBytes(gateway.pid) / 2 ** 20,
      files: process.platform === "linux" ? readdirSync(`/proc/${gateway.pid}/fd`).length : 0,
    })
    const last = samples.at(-1)
    console.log(
      `${last?.minute.toFixed(1)} min  ${last?.megabytes.toFixed(0)} MB  ${last?.files} files  ${requests} requests  ${failed} failed`,
    )
  }
  // The first third is the warm-up: code is compiled, and pools and caches fill.
  const warm = samples.slice(Math.floor(samples.length / 3))
  const slope = fit(
    warm.map(({ minute }) => minute),
    warm.map(({ megabytes }) => megabytes),
  )
  for (const timer of disturbing) clearInterval(timer)
  await gateway.stop()
  const rows =
    /\d+ accepted = .* dropped/.exec(gateway.said().trimEnd().split("\n").at(-1) ?? "")?.[0] ?? "rows: unknown"
  const [first, last] = [warm[0]?.megabytes ?? 0, warm.at(-1)?.megabytes ?? 0]
  console.log(
    `${minutes} minutes: ${requests} requests, ${failed} failed; in addition, ${leaving} clients disconnected and ${broken} responses broke off`,
  )
  console.log(rows)
  console.log(
    `memory over the last two thirds: ${first.toFixed(0)} MB to ${last.toFixed(0)} MB, ${slope.toFixed(2)} MB per minute (at most ${MAX_MB_PER_MINUTE}${minutes < MIN_MINUTES ? `; not judged below ${MIN_MINUTES} minutes` : ""})`,
  )
  const isWritten = / 0 waiting \+ 0 rejected \+ 0 dropped/.test(rows)
  if (failed > 0 || !isWritten || (slope > MAX_MB_PER_MINUTE && minutes >= MIN_MINUTES)) process.exitCode = 1
} finally {
  await gateway.stop()
  await load.stop()
  await fakeProvider.stop()
  rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
}

/** Returns the slope of the line through the points, by least squares. @param {number[]} x @param {number[]} y */
function fit(x, y) {
  const mean = (/** @type {number[]} */ list) => list.reduce((sum, value) => sum + value, 0) / list.length
  const [mx, my] = [mean(x), mean(y)]
  const above = x.reduce((sum, value, i) => sum + (value - mx) * ((y[i] ?? 0) - my), 0)
  const below = x.reduce((sum, value) => sum + (value - mx) ** 2, 0)
  return below === 0 ? 0 : above / below
}
