import { type ChildProcess, spawn } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, beforeEach, expect, test } from "vitest"

const ROOT = fileURLToPath(new URL("../../", import.meta.url))
/** npm, the build and the first start take 5 s on a quiet machine, and much longer on a busy one. */
const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: { start: string } }

/** Stands for the build, which would take a minute: it links what was built before. */
const BUILDER = `import { rmSync, symlinkSync } from "node:fs"
rmSync("dist", { recursive: true, force: true })
symlinkSync(${JSON.stringify(join(ROOT, "dist"))}, "dist")
console.log("built")
`

let clone: string
const running = new Set<ChildProcess>()

beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), "majordomo-clone-"))
  for (const path of ["src", "node_modules/unbuild/dist", "home"]) mkdirSync(join(clone, path), { recursive: true })
  for (const path of ["bin/majordomo.mjs", "scripts/start.mjs"]) cpSync(join(ROOT, path), join(clone, path))
  writeFileSync(join(clone, "package.json"), JSON.stringify({ type: "module", scripts: { start: scripts.start } }))
  writeFileSync(join(clone, "node_modules/unbuild/dist/cli.mjs"), BUILDER)
  writeFileSync(join(clone, "src/index.ts"), "")
})
afterEach(async () => {
  for (const child of running) process.kill(-child.pid!, "SIGKILL")
  rmSync(clone, { recursive: true, force: true })
})

/** Runs `npm start` in the clone, with an empty home and in a process group of its own, until the gateway is ready. */
async function start() {
  const env = { PATH: process.env["PATH"] ?? "", HOME: join(clone, "home"), MAJORDOMO_PRICING_REMOTE_URL: "" }
  const args = ["start", "--", "--port", "0", "--log-format", "json"]
  const child = spawn("npm", args, { cwd: clone, env, detached: true, stdio: ["ignore", "pipe", "pipe"] })
  running.add(child)
  let output = ""
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (output += bytes))
  const closed = new Promise<void>((resolve) => child.once("close", resolve))
  void closed.then(() => running.delete(child))
  await expect.poll(() => output).toMatch(/Starting Majordomo Gateway on \S+:\d+\n/)
  const stop = async (kill: (pid: number) => void) => {
    kill(child.pid!)
    await closed
    return output
  }
  return { stop }
}

const makeOld = (path: string) => utimesSync(join(clone, path), 0, 0)

test("builds if there is no build, and SIGTERM to npm drains the gateway", async () => {
  const output = await (await start()).stop((pid) => process.kill(pid, "SIGTERM"))
  expect(output).toContain("built\n")
  expect(output).toContain("Stopped. Rows: 0 accepted")
})

test("does not build if the build is newer than the sources, and Ctrl-C drains", async () => {
  symlinkSync(join(ROOT, "dist"), join(clone, "dist"))
  for (const path of ["src/index.ts", "src", "package.json"]) makeOld(path)
  // A terminal sends SIGINT to all processes of the group.
  const output = await (await start()).stop((pid) => process.kill(-pid, "SIGINT"))
  expect(output).not.toContain("built\n")
  expect(output).toContain("Stopped. Rows: 0 accepted")
})

test("builds again if a source is newer than the build", async () => {
  symlinkSync(join(ROOT, "dist"), join(clone, "dist"))
  const future = Date.now() / 1000 + 3600
  utimesSync(join(clone, "src/index.ts"), future, future)
  const output = await (await start()).stop((pid) => process.kill(pid, "SIGTERM"))
  expect(output).toContain("built\n")
})
