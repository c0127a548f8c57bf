// Serves from a clone, and builds before if the sources are newer than the build: npm start -- --port 8080
import { spawn } from "node:child_process"
import { existsSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const bin = join(root, "bin/majordomo.mjs")

/** What the build reads. */
const SOURCES = ["src", "build", "build.config.ts", "schema.sql", "migrations", "package.json", "package-lock.json"]
/** The file that the build writes last. If it is missing, there was no build or the build was interrupted. */
const LAST_OUTPUT = join(root, "dist/client.d.mts")

const code = isFresh() ? 0 : await build()
if (code === 0) {
  // The program reads its arguments, and starts its workers, as if it had been called directly.
  process.argv.splice(1, 1, bin, "serve")
  await import("../bin/majordomo.mjs")
} else process.exitCode = code

function isFresh() {
  if (!existsSync(LAST_OUTPUT)) return false
  const builtAt = statSync(LAST_OUTPUT).mtimeMs
  return SOURCES.every((name) => newestChange(join(root, name)) <= builtAt)
}

/** Returns when a file, or anything in a directory, was last changed. A directory changes when a file is removed. */
function newestChange(/** @type {string} */ path) {
  if (!existsSync(path)) return 0
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  const inside = readdirSync(path).map((name) => newestChange(join(path, name)))
  return Math.max(stat.mtimeMs, ...inside)
}

/** Builds, and returns the exit code. The output goes to stderr, because stdout is the gateway's. */
async function build() {
  const builder = join(root, "node_modules/unbuild/dist/cli.mjs")
  if (!existsSync(builder)) {
    process.stderr.write("error: the packages for the build are missing: run npm ci\n")
    return 1
  }
  process.stderr.write("Building the gateway, which takes about half a minute …\n")
  const child = spawn(process.execPath, [builder], { cwd: root, stdio: ["ignore", 2, 2] })
  const stop = (/** @type {NodeJS.Signals} */ signal) => child.kill(signal)
  process.on("SIGINT", stop).on("SIGTERM", stop)
  const ended = await new Promise((resolve) => child.once("exit", (exitCode) => resolve(exitCode ?? 1)))
  process.off("SIGINT", stop).off("SIGTERM", stop)
  return ended
}
