import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { transformWithEsbuild } from "vite"
import type { Block } from "./_page.ts"

const ROOT = fileURLToPath(new URL("../../", import.meta.url))
const run = promisify(execFile)

/** A directory in which snippets find the packages that they import, including ours by its name. */
export interface Desk {
  readonly home: string
  /** Runs a block until it ends. @throws with its output if it fails */
  execute(block: Block, env: Readonly<Record<string, string>>): Promise<string>
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
  writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${ROOT}/bin/majordomo.mjs" "$@"\n`, { mode: 0o755 })
  const env = { HOME: home, PATH: `${home}:${process.env["PATH"]}`, TZ: "UTC", NODE_NO_WARNINGS: "1" }

  return {
    home,
    async execute({ language, text, line, marks }, more) {
      const start = async (command: string, args: readonly string[]) => {
        const running = run(command, args, { cwd: home, env: { ...env, ...more }, timeout: 60_000 })
        // Some programs wait for more input on stdin.
        running.child.stdin?.end()
        const { stdout, stderr } = await running
        return stdout + stderr
      }
      if (marks.has("file")) {
        const file = join(home, marks.get("file")!)
        mkdirSync(dirname(file), { recursive: true })
        writeFileSync(file, text.replaceAll("http://localhost:7680", more["MAJORDOMO_GATEWAY_URL"] ?? ""))
        return ""
      }
      if (language === "ts") {
        const file = join(home, `line-${line}.mjs`)
        writeFileSync(file, (await transformWithEsbuild(text, `${file}.ts`, { target: "node20" })).code)
        return start(process.execPath, [file])
      }
      if (language === "python") return start(findPython(marks.get("run")!)!, ["-c", text])
      // pipefail reports the first failure in a pipe, and -f makes curl fail on an error status.
      return start("bash", ["-euo", "pipefail", "-c", text.replaceAll("curl -s ", "curl -sf ")])
    },
    remove: () => rmSync(home, { recursive: true, force: true }),
  }
}

/**
 * Returns the Python interpreter with the packages of the guides, if the environment names one: installing them takes minutes.
 *
 *     python3 -m venv .venv && .venv/bin/pip install openai anthropic google-genai "pydantic-ai-slim[anthropic,openai]"
 *     DOCS_PYTHON=.venv/bin/python npx vitest run test/docs
 */
export function findPython(kind: string): string | undefined {
  return process.env[kind === "frameworks" ? "DOCS_PYTHON_FRAMEWORKS" : "DOCS_PYTHON"] || undefined
}

/** Returns why a block cannot run here, or undefined if it can. */
export function whySkipped({ language, marks }: Block): string | undefined {
  const kind = marks.get("run")
  if (language === "python" && findPython(kind ?? "") === undefined) {
    return kind === "frameworks" ? "DOCS_PYTHON_FRAMEWORKS is not set" : "DOCS_PYTHON is not set"
  }
  // These programs are large, need a login and change every week, so they run only where DOCS_TOOLS names their directory.
  if ((kind === "claude" || kind === "codex") && !process.env["DOCS_TOOLS"]) return "DOCS_TOOLS is not set"
  return undefined
}
