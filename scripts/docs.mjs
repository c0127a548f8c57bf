// Serves the pages of docs/ as a site, or builds it: node scripts/docs.mjs dev|build. Installs the generator at the first time.
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"

const site = fileURLToPath(new URL("../site", import.meta.url))
const [command = "dev", ...args] = process.argv.slice(2)

const run = (/** @type {string[]} */ ...words) =>
  spawnSync("npm", words, { cwd: site, stdio: "inherit", shell: process.platform === "win32" }).status ?? 1

const installed = existsSync(`${site}/node_modules/vitepress`)
  ? 0
  : run("ci", "--no-audit", "--no-fund", "--ignore-scripts")
process.exitCode = installed || run("run", command, "--", ...args)
