import { type ChildProcess, spawn } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { until } from "../support/until.ts"
import { type Block, isShown, toSteps } from "./_page.ts"

const BIN = fileURLToPath(new URL("../../bin/majordomo.mjs", import.meta.url))
const PORT = "7680"

/** The machine of a new user: an empty home directory, and the program under its names, including `npx`. */
export interface Walk {
  readonly home: string
  /** Runs every command of a `console` block and compares its output. @throws with both outputs if they differ */
  follow(block: Block): Promise<void>
  end(): Promise<void>
}

/** @param settings further environment variables; those of the gateway apply only to `serve`, as on another machine */
export async function startWalk(settings: Readonly<Record<string, string>> = {}): Promise<Walk> {
  const home = mkdtempSync(join(tmpdir(), "majordomo-walk-"))
  const bin = join(home, ".bin")
  mkdirSync(bin)
  const shim = (name: string, skip: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${skip}exec "${process.execPath}" "${BIN}" "$@"\n`)
    chmodSync(join(bin, name), 0o755)
  }
  for (const name of ["majordomo-gateway", "majordomo"]) shim(name, "")
  shim("npx", "shift\n")
  const port = await findFreePort()
  const env = {
    HOME: home,
    TZ: "UTC",
    LANG: "C.UTF-8",
    PATH: `${bin}:${process.env["PATH"]}`,
    MAJORDOMO_SERVER_PORT: port,
    ...settings,
  }
  const running = new Set<ChildProcess>()
  let key = "none"

  const start = (command: string) => {
    const line = command.replaceAll(PORT, port).replaceAll("mdm_sk_…", key)
    // `serve --demo` has its own settings, so the port must be an argument.
    const script = /\bserve\b/.test(line) ? line.replace(/\bserve\b/, `serve --port ${port}`) : line
    // exec, so that a signal reaches the program and not only a shell around it.
    const child = spawn("sh", ["-c", /\bserve\b/.test(script) ? `exec ${script}` : script], {
      cwd: home,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    })
    running.add(child)
    child.once("exit", () => running.delete(child))
    return child
  }
  const stopAll = async (signal: NodeJS.Signals) => {
    const ended = [...running].map((child) => new Promise((resolve) => child.once("exit", resolve)))
    for (const child of running) child.kill(signal)
    await Promise.all(ended)
  }
  const show = (output: string) => {
    key = /mdm_sk_[\w-]{20,}/.exec(output)?.[0] ?? key
    return output.replaceAll("\r\n", "\n").replaceAll(port, PORT).replaceAll(home, "~")
  }

  return {
    home,
    async follow({ page, line, text: body, marks }) {
      // Stops what is already running with Ctrl-C, because it uses the port.
      if (marks.has("background")) await stopAll("SIGINT")
      for (const { command, expected } of toSteps(body)) {
        const where = `${page}:${line}`
        if (marks.has("background")) {
          const child = start(command)
          let said = ""
          child.stdout!.on("data", (bytes: Buffer) => {
            said += bytes
          })
          child.stderr!.resume()
          await until(() => check(where, command, expected, show(said)), 50)
          continue
        }
        const once = async () => {
          const child = start(command)
          const said = await Promise.all([text(child.stdout!), text(child.stderr!)])
          check(where, command, expected, show(said.join("")))
        }
        // A row appears in reports shortly after its response.
        if (/\busage\b/.test(command)) await until(once, 200)
        else await once()
      }
    },
    async end() {
      await stopAll("SIGTERM")
      rmSync(home, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Compares an output with the page. A command without an output on the page may print anything. */
function check(where: string, command: string, expected: string, output: string): void {
  if (expected.trim() === "" || isShown(expected, output)) return
  throw new Error(`${where}: $ ${command}\nshould print\n${expected}\nand prints\n${output}`)
}

async function findFreePort(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === "string") throw new Error("no port")
  return String(address.port)
}
