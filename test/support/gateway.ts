import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { FAST_START } from "./fast-start.ts"
import { isThorough } from "./thorough.ts"

const BIN = fileURLToPath(new URL("../../bin/majordomo.mjs", import.meta.url))
const DIST = fileURLToPath(new URL("../../dist/index.mjs", import.meta.url))

/** The built program as a user runs it, in an empty home that is also its working directory. */
export interface Installation {
  readonly home: string
  /** Returns all environment variables of a command, for a test that starts it by itself. */
  environment(settings?: Settings): Promise<Settings>
  /** Runs one command until it ends. `input` is its stdin. */
  run(args: readonly string[], settings?: Settings, input?: string): Promise<Ran>
  /** Runs one command that goes on until Ctrl-C, and presses it as soon as the output is enough. */
  runUntil(
    isEnough: (stdout: string, stderr: string) => boolean,
    args: readonly string[],
    settings?: Settings,
  ): Promise<Ran>
  /** Returns what a command with `--json` prints. @throws with the command's messages if it fails */
  runJson(args: readonly string[], settings?: Settings, input?: string): Promise<unknown>
  /** Runs `serve` on a free port and waits until it is ready. */
  serve(options?: { readonly args?: readonly string[]; readonly settings?: Settings }): Promise<RunningGateway>
  /** Stops what is still running and deletes the home. */
  remove(): Promise<void>
}

/** Environment variables. The only others are PATH and HOME. */
export type Settings = Readonly<Record<string, string>>

export interface Ran {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunningGateway {
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string
  readonly port: number
  readonly pid: number
  /** The time from the start of the process to the banner, in ms. */
  readonly readyMs: number
  /** What the process has printed so far. */
  readonly stdout: string
  readonly stderr: string
  /** Resolves when the process has ended. */
  readonly ended: Promise<Ran>
  /** Sends the signal and waits for the process to end. */
  stop(signal?: NodeJS.Signals): Promise<Ran>
}

interface InstallationOptions {
  readonly bin?: string
  /** A command line that becomes the program's own process, such as `unshare …`. */
  readonly under?: readonly string[]
  /**
   * Commands run in the process of the test, from the source: starting a process takes a second of CPU time, and what most
   * commands do takes some milliseconds. For tests of what commands do and print, and not of their process. With THOROUGH=1,
   * they run the built program.
   */
  readonly inProcess?: boolean
}

/**
 * Creates an empty home for the built program, or for another `bin`, with settings for all its commands.
 */
export function createInstallation(
  always: Settings = {},
  { bin = BIN, under = [], inProcess = false }: InstallationOptions = {},
): Installation {
  if (!existsSync(DIST)) throw new Error("these tests run the built program: npm run build")
  const home = mkdtempSync(join(tmpdir(), "majordomo-home-"))
  const running = new Set<ChildProcess>()

  const toEnvironment = (settings: Settings) => ({
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    ...always,
    ...settings,
  })
  const start = (args: readonly string[], settings: Settings, input?: string) => {
    const env = toEnvironment(settings)
    const [command = "", ...words] = [...under, process.execPath, ...FAST_START, bin, ...args]
    const child = spawn(command, words, { cwd: home, env, stdio: ["pipe", "pipe", "pipe"] })
    // A command that rejects its arguments ends without reading its stdin.
    child.stdin.on("error", () => {}).end(input)
    running.add(child)
    const exited = new Promise<Pick<Ran, "code" | "signal">>((resolve) => {
      child.once("exit", (code, signal) => {
        running.delete(child)
        resolve({ code, signal })
      })
    })
    return { child, exited }
  }

  const run = async (args: readonly string[], settings: Settings = {}, input?: string): Promise<Ran> => {
    const { child, exited } = start(args, settings, input)
    const [stdout, stderr, ended] = await Promise.all([text(child.stdout), text(child.stderr), exited])
    return { ...ended, stdout, stderr }
  }

  const installation: Installation = {
    home,
    environment: async (settings = {}) => toEnvironment(settings),
    run,
    async runUntil(isEnough, args, settings = {}) {
      const { child, exited } = start(args, settings)
      const said = { stdout: "", stderr: "" }
      for (const name of ["stdout", "stderr"] as const) {
        child[name].on("data", (bytes: Buffer) => {
          said[name] += bytes
          if (isEnough(said.stdout, said.stderr)) child.kill("SIGINT")
        })
      }
      return { ...(await exited), ...said }
    },
    runJson: (args, settings, input) => runJson(installation, args, settings, input),
    async serve({ args = [], settings = {} } = {}) {
      const startedAt = performance.now()
      const { child, exited } = start(["serve", "--port", "0", ...args], settings)
      const said = { stdout: "", stderr: "" }
      const port = await new Promise<number>((resolve, reject) => {
        const listen = (stream: keyof typeof said) => (bytes: Buffer) => {
          said[stream] += bytes
          // The second line of the banner means that the whole port has been printed.
          const found = /Starting Majordomo Gateway on \S*:(\d+)\n/.exec(said[stream])
          if (found !== null) resolve(Number(found[1]))
        }
        child.stdout.on("data", listen("stdout"))
        child.stderr.on("data", listen("stderr"))
        void exited.then(({ code }) => reject(new Error(`serve ended with ${code}: ${said.stdout}${said.stderr}`)))
      })
      return {
        origin: `http://127.0.0.1:${port}`,
        port,
        pid: child.pid ?? 0,
        readyMs: performance.now() - startedAt,
        get stdout() {
          return said.stdout
        },
        get stderr() {
          return said.stderr
        },
        ended: exited.then((ending) => ({ ...ending, ...said })),
        async stop(signal = "SIGTERM") {
          child.kill(signal)
          return { ...(await exited), ...said }
        },
      }
    },
    async remove() {
      const ended = [...running].map((child) => new Promise((resolve) => child.once("exit", resolve)))
      for (const child of running) child.kill("SIGKILL")
      await Promise.all(ended)
      rmSync(home, { recursive: true, force: true, maxRetries: 3 })
    },
  }
  return inProcess && !isThorough ? withCommandsHere(installation) : installation
}

/** Makes the commands of an installation run in this process, except those that serve. */
function withCommandsHere(installation: Installation): Installation {
  const here: Installation = {
    ...installation,
    async run(args, settings, input) {
      if (args[0] === "serve") return installation.run(args, settings, input)
      const { runInProcess } = await import("./in-process.ts")
      return runInProcess(args, { env: await installation.environment(settings), input })
    },
    async runUntil(isEnough, args, settings) {
      const { runUntilEnough } = await import("./in-process.ts")
      return runUntilEnough(isEnough, args, await installation.environment(settings))
    },
    runJson: (args, settings, input) => runJson(here, args, settings, input),
  }
  return here
}

async function runJson(
  { run }: Installation,
  args: readonly string[],
  settings?: Settings,
  input?: string,
): Promise<unknown> {
  const { code, stdout, stderr } = await run([...args, "--json"], settings, input)
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${stderr}`)
  return JSON.parse(stdout)
}

/**
 * Returns what a command complained of, one line each: the warnings and errors of the log of `serve`, which is JSON here,
 * and the other lines as they are.
 */
export function toComplaints(stderr: string): string {
  return stderr.replaceAll(/^\{"time".*\n/gm, (line) => {
    const { level, message } = JSON.parse(line) as { readonly level: string; readonly message: string }
    return level === "info" ? "" : `${level}: ${message}\n`
  })
}
