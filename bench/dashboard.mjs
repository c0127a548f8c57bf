// npm run bench -- dashboard [--rounds 20] [--only TEXT]
// Measures each view of the dashboard in Chromium, over the rows that `npm run bench -- usage --load` put into DATABASE_URL:
// how long the API takes to answer, and when the last answer of the page has come. The program must be built.
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import pg from "pg"
import { chromium } from "playwright-core"
import { runGateway, startGateway } from "./_processes.mjs"
import { alignColumns } from "./_report.mjs"

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "20" }, only: { type: "string", default: "" } },
})
const rounds = Number(values.rounds)
const GOALS = { answerMs: 200, pageMs: 1000 }

const databaseUrl = process.env.DATABASE_URL
if (databaseUrl === undefined)
  throw new Error("Set DATABASE_URL to the database that npm run bench -- usage --load filled.")
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync)
if (executablePath === undefined) throw new Error("Install Chromium.")

const directory = mkdtempSync(join(tmpdir(), "majordomo-bench-"))
const settings = {
  HOME: directory,
  DATABASE_URL: databaseUrl,
  MAJORDOMO_SERVER_PORT: "0",
  MAJORDOMO_STORAGE_DATA_DIR: join(directory, "data"),
  MAJORDOMO_PRICING_REMOTE_URL: "",
}
const { token } = JSON.parse(
  runGateway(["tokens", "create", "--name", "bench", "--role", "admin", "--json"], settings, directory),
)
const gateway = await startGateway(settings, directory)
const origin = `http://127.0.0.1:${gateway.port}`
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] })
try {
  const head = ["view", "answers", "p50", "p95", "slowest", "page p50", "page p95", ""]
  process.stdout.write(`${alignColumns([head, ...(await measureViews())])}\n`)
} finally {
  await browser.close()
  await gateway.stop()
  rmSync(directory, { recursive: true, force: true })
}

async function measureViews() {
  const context = await browser.newContext({ timezoneId: "UTC", viewport: { width: 1280, height: 900 } })
  await context.request.post(`${origin}/api/v1/sessions`, { data: { token } })
  const page = await context.newPage()
  const lines = []
  for (const [name, path] of Object.entries(await findViews())) {
    if (!name.includes(values.only)) continue
    const visits = []
    for (let i = 0; i <= rounds; i++) visits.push(await visit(page, path))
    visits.shift() // the first one fills the caches of the browser and of the database
    lines.push(toLine(name, visits))
  }
  return lines
}

/** Opens a page, and returns its questions to the API and the time of the last answer, in milliseconds. */
async function visit(/** @type {import("playwright-core").Page} */ page, /** @type {string} */ path) {
  await page.goto(`${origin}/dashboard/${path}`, { waitUntil: "networkidle" })
  return await page.evaluate(() => {
    const entries = /** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByType("resource"))
    const answers = entries.filter(({ name }) => new URL(name).pathname.startsWith("/api/"))
    return {
      isUnfinished: document.querySelector(".skeleton, [role=alert]") !== null,
      pageMs: Math.max(...entries.map(({ responseEnd }) => responseEnd)),
      answers: answers.map(({ name, requestStart, responseEnd }) => ({
        question: name.slice(new URL(name).origin.length),
        ms: responseEnd - requestStart,
      })),
    }
  })
}

/** @param {string} name @param {Awaited<ReturnType<typeof visit>>[]} visits */
function toLine(name, visits) {
  const answers = visits.flatMap((each) => each.answers)
  const times = answers.map(({ ms }) => ms)
  const pages = visits.map(({ pageMs }) => pageMs)
  const slowest = Math.max(...times)
  const answer95 = quantile(times, 0.95)
  const page95 = quantile(pages, 0.95)
  const isMet = answer95 <= GOALS.answerMs && page95 <= GOALS.pageMs && !visits.some((each) => each.isUnfinished)
  for (const line of listSlow(answers)) process.stderr.write(`${name}: ${line}\n`)
  const numbers = [quantile(times, 0.5), answer95, slowest, quantile(pages, 0.5), page95]
  return [
    name,
    String(answers.length / visits.length),
    ...numbers.map((ms) => `${ms.toFixed(0)} ms`),
    isMet ? "met" : "missed",
  ]
}

/** The questions whose median misses the goal. @param {{ question: string, ms: number }[]} answers */
function listSlow(answers) {
  const questions = [...new Set(answers.map(({ question }) => question))]
  return questions
    .map((each) => ({
      each,
      ms: quantile(
        answers.filter(({ question }) => question === each).map(({ ms }) => ms),
        0.5,
      ),
    }))
    .filter(({ ms }) => ms > GOALS.answerMs / 2)
    .sort((a, b) => b.ms - a.ms)
    .map(({ each, ms }) => `${ms.toFixed(0)} ms ${each}`)
}

/** The views by name, with a request, a run and a key that exist. */
async function findViews() {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  const { rows } = await client.query(
    "SELECT id, majordomo_api_key_id AS key, model, provider, raw_metadata ->> 'Trace-Id' AS trace FROM llm_requests WHERE raw_metadata ? 'Trace-Id' ORDER BY created_at DESC LIMIT 1",
  )
  await client.end()
  const [{ id, key, model, provider, trace }] = rows
  return {
    overview: "",
    "overview, 30 days": "?since=30d",
    "overview, filtered": `?since=30d&model=${encodeURIComponent(model)}`,
    "by model": "by?name=model&since=30d",
    "by User-Id": "by?name=User-Id&since=30d",
    requests: "requests",
    request: `request?id=${id}`,
    runs: "runs?since=30d",
    "runs by cost": "runs?since=30d&sort=cost",
    run: `run?trace=${encodeURIComponent(trace)}`,
    keys: "keys",
    key: `key?id=${key}`,
    tokens: "tokens",
    prices: "prices",
    price: `price?model=${encodeURIComponent(model)}&provider=${provider}`,
    status: "status",
    audit: "audit",
  }
}

/** @param {number[]} numbers @param {number} q */
function quantile(numbers, q) {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0
}
