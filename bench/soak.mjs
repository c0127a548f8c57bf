// npm run soak: [LOD-05] load for SOAK_MINUTES (default 10), then the memory's line: its slope must be flat.
import "./_typescript.mjs"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { rssBytes, startGateway, startLoad, startScript } from "./_processes.mjs"

const minutes = Number(process.env["SOAK_MINUTES"] ?? 10)
const SAMPLE_MS = 5000
const MAX_MB_PER_MINUTE = 2
const directory = mkdtempSync(join(tmpdir(), "majordomo-soak-"))
const script = { pieces: 20 }
const farSide = await startScript("./far-side.mjs", { args: [JSON.stringify(script)], typescript: true })
const load = startLoad()
const gateway = await startGateway(
  {
    HOME: directory,
    MAJORDOMO_SERVER_PORT: "0",
    MAJORDOMO_STORAGE_DRIVER: "embedded",
    MAJORDOMO_STORAGE_DATA_DIR: join(directory, "data"),
    MAJORDOMO_PRICING_REMOTE_URL: "",
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: `http://127.0.0.1:${farSide.port}`,
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
  // The first third warms up: code is compiled, the pools and caches fill.
  const warm = samples.slice(Math.floor(samples.length / 3))
  const slope = fit(
    warm.map(({ minute }) => minute),
    warm.map(({ megabytes }) => megabytes),
  )
  console.log(
    `${requests} requests, ${failed} failed; memory ${slope.toFixed(2)} MB per minute over the last two thirds (at most ${MAX_MB_PER_MINUTE})`,
  )
  if (failed > 0 || slope > MAX_MB_PER_MINUTE) process.exitCode = 1
} finally {
  await gateway.stop()
  await load.stop()
  await farSide.stop()
  rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
}

/** The slope of the line through the points, by least squares. @param {number[]} x @param {number[]} y */
function fit(x, y) {
  const mean = (/** @type {number[]} */ list) => list.reduce((sum, value) => sum + value, 0) / list.length
  const [mx, my] = [mean(x), mean(y)]
  const above = x.reduce((sum, value, i) => sum + (value - mx) * ((y[i] ?? 0) - my), 0)
  const below = x.reduce((sum, value) => sum + (value - mx) ** 2, 0)
  return below === 0 ? 0 : above / below
}
