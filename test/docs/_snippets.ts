import { execFile } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { transformWithEsbuild } from "vite"
import { FAST_START } from "../support/fast-start.ts"
import type { Block } from "./_page.ts"

const ROOT = fileURLToPath(new URL("../../", import.meta.url))
const run = promisify(execFile)

/** A directory in which snippets find the packages that they import, including ours by its name. */
export interface Desk {
  readonly home: string
  /** Runs a block until it ends. @throws with its output if it fails */
  execute(block: Block, env: Readonly<Record<string, string>>): Promise<string>
  /** Returns `env` as the exports of a block change it. */
  readExports(block: Block, env: Readonly<Record<string, string>>): Promise<Readonly<Record<string, string>>>
  remove(): void
}

export function openDesk(): Desk {
  const home = mkdtempSync(join(tmpdir(), "majordomo-docs-"))
  const modules = join(home, "node_modules")
  mkdirSync(modules)
  for (const name of readdirSync(join(ROOT, "node_modules"))) {
    if (!name.startsWith(".")) symlinkSync(join(ROOT, "node_modules", name), join(modules, name))
  }
  symlinkSync(ROOT, join(modules, "majordomo-gateway"))
  const program = join(home, "majordomo-gateway")
  writeFileSync(
    program,
    `#!/bin/sh\nexec "${process.execPath}" ${FAST_START.join(" ")} "${ROOT}/bin/majordomo.mjs" "$@"\n`,
    { mode: 0o755 },
  )
  const env = { HOME: home, PATH: `${home}:${process.env["PATH"]}`, TZ: "UTC", NODE_NO_WARNINGS: "1" }

  return {
    home,
    async execute({ language, text, line, marks }, more) {
      const start = async (command: string, args: readonly string[]) => {
        const running = run(command, args, { cwd: home, env: { ...env, ...more }, timeout: TIMEOUT_MS })
        // Some programs wait for more input on stdin.
        running.child.stdin?.end()
        const { stdout, stderr } = await running.catch((error: Error & { readonly stdout: string }) => {
          throw new Error(`${error.message}\n${error.stdout}`)
        })
        return stdout + stderr
      }
      if (marks.has("file")) {
        const file = join(home, marks.get("file")!)
        mkdirSync(dirname(file), { recursive: true })
        const address = text.replaceAll("http://localhost:7680", more["MAJORDOMO_GATEWAY_URL"] ?? "")
        writeFileSync(file, address.replaceAll("mdm_sk_…", more["MAJORDOMO_API_KEY"] ?? ""))
        return ""
      }
      if (language === "ts") {
        const file = join(home, `line-${line}.mjs`)
        writeFileSync(file, (await transformWithEsbuild(text, `${file}.ts`, { target: "node20" })).code)
        return start(process.execPath, [file])
      }
      if (language === "python") return start(findPython(marks.get("run")!)!, ["-c", text])
      if (language === "go") return runGo(text, start)
      // pipefail reports the first failure in a pipe, and -f makes curl fail on an error status.
      const script = text.replaceAll("curl -s ", "curl -sf ")
      // Commands such as `doctor` exit with 1 if they find a problem, which is no fault of the page.
      if (marks.has("may-fail")) return start("bash", ["-c", `${script}\ntrue`])
      return start("bash", ["-euo", "pipefail", "-c", script])
    },
    async readExports({ text }, before) {
      const { stdout } = await run("bash", ["-euc", `${text}\nenv -0`], { env: { ...env, ...before } })
      const lines = stdout.split("\0").filter((line) => line !== "")
      return Object.fromEntries(lines.map((line) => [line.split("=", 1)[0]!, line.slice(line.indexOf("=") + 1)]))
    },
    remove: () => rmSync(home, { recursive: true, force: true }),
  }
}

/** Some programs take most of a minute for their first start. */
const TIMEOUT_MS = 170_000

/** Runs a program in the module that `DOCS_GO` names, with the caches of this machine in place of those of the empty home. */
async function runGo(
  text: string,
  start: (command: string, args: readonly string[]) => Promise<string>,
): Promise<string> {
  const folder = mkdtempSync(join(process.env["DOCS_GO"]!, "snippet-"))
  try {
    writeFileSync(join(folder, "main.go"), text)
    const caches = [`GOPATH=${join(homedir(), "go")}`, `GOCACHE=${join(homedir(), ".cache/go-build")}`]
    return await start("env", [...caches, "go", "run", "-C", folder, "."])
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/**
 * Returns the Python interpreter with the packages of the guides, if the environment names one: installing them takes minutes.
 *
 *     python3 -m venv .venv && .venv/bin/pip install openai anthropic google-genai litellm boto3 "pydantic-ai-slim[anthropic,openai]"
 *     DOCS_PYTHON=.venv/bin/python npx vitest run test/docs
 *
 * `python run=langchain` needs `DOCS_PYTHON_LANGCHAIN`, because the packages of some frameworks exclude each other.
 */
export function findPython(kind: string): string | undefined {
  return process.env[pythonVariable(kind)] || undefined
}

function pythonVariable(kind: string): string {
  return kind === "run" ? "DOCS_PYTHON" : `DOCS_PYTHON_${kind.toUpperCase()}`
}

/**
 * Returns why a block cannot run here, or undefined if it can. Programs such as Claude Code (`sh run=claude`) are large and
 * change every week, so they run only from the directories in `DOCS_TOOLS`, and Go only in the module that `DOCS_GO` names.
 */
export function whySkipped({ language, marks }: Block): string | undefined {
  const kind = marks.get("run")
  if (kind === undefined) return undefined
  if (language === "python") return findPython(kind) ? undefined : `${pythonVariable(kind)} is not set`
  if (language === "go") return process.env["DOCS_GO"] ? undefined : "DOCS_GO is not set"
  if (kind === "run") return undefined
  const directories = process.env["DOCS_TOOLS"]?.split(delimiter) ?? []
  return directories.some((each) => existsSync(join(each, kind))) ? undefined : `DOCS_TOOLS has no ${kind}`
}
