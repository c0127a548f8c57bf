// Takes the pictures of the README from the demo, and writes them to docs/images: node scripts/pictures.mjs
// It needs Chromium and the built program (npm run build).
import { execFile, spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { chromium } from "playwright-core"
import { toTerminalPicture } from "./_terminal-picture.mjs"

/** The README is loaded over slow lines too. test/docs/readme.test.ts checks the same. */
const MAX_BYTES = 250_000
const VIEW = { width: 1280, height: 930 }
const REPORT = ["usage", "--by", "Feature", "--demo"]

const root = fileURLToPath(new URL("..", import.meta.url))
const bin = join(root, "bin/majordomo.mjs")
const home = mkdtempSync(join(tmpdir(), "majordomo-pictures-"))
const port = await findFreePort()
const env = { PATH: process.env.PATH, HOME: home, TZ: "UTC", LANG: "C.UTF-8", MAJORDOMO_SERVER_PORT: port }

const demo = spawn(process.execPath, [bin, "serve", "--demo", "--port", port], {
  cwd: home,
  env,
  stdio: ["ignore", "pipe", "inherit"],
})
const ended = new Promise((resolve) => demo.once("exit", resolve))
try {
  await waitForBanner()
  const report = await run(...REPORT)
  write("usage-by-feature.svg", toTerminalPicture(`npx majordomo-gateway ${REPORT.join(" ")}`, report))
  await photographDashboard()
} finally {
  demo.kill("SIGTERM")
  await ended
  rmSync(home, { recursive: true, force: true, maxRetries: 5 })
}

/** Takes the overview once in each theme, signed in with a token, so that the page shows no name of this machine. */
async function photographDashboard() {
  const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync)
  if (executablePath === undefined) throw new Error("Install Chromium.")
  const { token } = JSON.parse(await run("tokens", "create", "--name", "ann", "--role", "admin", "--demo", "--json"))
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] })
  try {
    for (const colorScheme of ["light", "dark"]) {
      const context = await browser.newContext({ viewport: VIEW, deviceScaleFactor: 2, colorScheme, timezoneId: "UTC" })
      await context.request.post(`http://127.0.0.1:${port}/api/v1/sessions`, { data: { token } })
      const page = await context.newPage()
      await page.goto(`http://127.0.0.1:${port}/dashboard/`)
      await page.waitForLoadState("networkidle")
      // WebP has a third of the bytes of PNG. Only Chromium's own protocol writes it.
      const protocol = await context.newCDPSession(page)
      const { data } = await protocol.send("Page.captureScreenshot", { format: "webp", quality: 82 })
      write(`dashboard-${colorScheme}.webp`, Buffer.from(data, "base64"))
      await context.close()
    }
  } finally {
    await browser.close()
  }
}

function write(name, content) {
  const file = join(root, "docs/images", name)
  writeFileSync(file, content)
  const { size } = statSync(file)
  process.stderr.write(`docs/images/${name}: ${Math.ceil(size / 1000)} KB\n`)
  if (size > MAX_BYTES) throw new Error(`${name} has ${size} bytes, and should have at most ${MAX_BYTES}`)
}

async function run(...args) {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [bin, ...args], { cwd: home, env })
  return args[0] === "usage" ? stdout + stderr : stdout
}

async function waitForBanner() {
  let said = ""
  for await (const bytes of demo.stdout.iterator({ destroyOnReturn: false })) {
    said += bytes
    if (said.includes("dashboard --open")) break
  }
  demo.stdout.resume()
}

async function findFreePort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return String(port)
}
