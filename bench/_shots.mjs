import { chromium } from "playwright-core"
import { spawn, execFileSync } from "node:child_process"
import { mkdirSync } from "node:fs"
const out = process.argv[2]; const views = process.argv[3].split(","); const widths = process.argv[4].split(",").map(Number); const theme = process.argv[5] ?? "light"
mkdirSync(out, { recursive: true })
const home = "/tmp/l8/demohome"; mkdirSync(home, { recursive: true })
const env = { ...process.env, HOME: home, MAJORDOMO_PRICING_REMOTE_URL: "", MAJORDOMO_SERVER_PORT: "7991" }
const gw = spawn(process.execPath, ["bin/majordomo.mjs", "serve", "--demo", "--port", "7991"], { env, stdio: ["ignore", "pipe", "pipe"] })
let log = ""
gw.stdout.on("data", (d) => (log += d)); gw.stderr.on("data", (d) => (log += d))
for (let i = 0; i < 300; i++) { if (await fetch("http://127.0.0.1:7991/health").then((r) => r.ok, () => false)) break; await new Promise((r) => setTimeout(r, 500)) }
console.log(log.slice(0, 1500))
const link = execFileSync(process.execPath, ["bin/majordomo.mjs", "dashboard", "--demo", "--json"], { env: { ...env, ...(process.env.DEMO_ENV ? JSON.parse(process.env.DEMO_ENV) : {}) } }).toString()
console.log(link)
const url = JSON.parse(link).url ?? JSON.parse(link).link
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] })
const ctx = await browser.newContext({ colorScheme: theme, viewport: { width: 1280, height: 900 } })
const page = await ctx.newPage()
await page.goto(url); await page.waitForTimeout(3000)
for (const v of views) for (const w of widths) {
  await page.setViewportSize({ width: w, height: 900 })
  await page.goto("http://127.0.0.1:7991/dashboard/" + v); await page.waitForTimeout(1500)
  await page.screenshot({ path: `${out}/${v.replaceAll(/[^a-z0-9]+/gi, "_") || "overview"}-${w}-${theme}.png`, fullPage: true })
  console.log(v, w, await page.evaluate(() => document.documentElement.scrollWidth))
}
await browser.close(); gw.kill("SIGTERM")
