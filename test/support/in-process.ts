import { Readable, Writable } from "node:stream"
import { run } from "../../src/index.ts"
import type { Ran, Settings } from "./gateway.ts"

/** The environment, the working directory and the streams belong to the process, so one command runs after the other. */
let last: Promise<unknown> = Promise.resolve()

/** Calls `work` alone, with these environment variables and no others, in the directory `HOME`. */
export function withEnvironment<T>(env: Settings, work: () => Promise<T>): Promise<T> {
  const alone = last.then(async () => {
    const before = { env: { ...process.env }, cwd: process.cwd() }
    replaceEnvironment(env)
    process.chdir(env["HOME"]!)
    try {
      return await work()
    } finally {
      process.chdir(before.cwd)
      replaceEnvironment(before.env)
    }
  })
  last = alone.catch(() => {})
  return alone
}

function replaceEnvironment(env: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(process.env)) if (env[name] === undefined) delete process.env[name]
  Object.assign(process.env, env)
}

export interface InProcessOptions {
  /** All environment variables. `HOME` is the working directory, too. */
  readonly env: Settings
  readonly input?: string | undefined
  /** Receives each piece of output, and a function that presses Ctrl-C. */
  onOutput?(stream: "stdout" | "stderr", piece: string, pressCtrlC: () => void): void
}

/** Runs a command of the source in this process, as the program would run in one of its own. */
export function runInProcess(args: readonly string[], { env, input = "", onOutput }: InProcessOptions): Promise<Ran> {
  return withEnvironment(env, async () => {
    const said = { stdout: "", stderr: "" }
    const signals = watchSignals()
    const capture = (stream: keyof typeof said) =>
      new Writable({
        decodeStrings: true,
        write(bytes: Buffer, _, done) {
          said[stream] += bytes.toString("utf8")
          onOutput?.(stream, bytes.toString("utf8"), signals.pressCtrlC)
          done()
        },
      })
    const streams = { stdin: Readable.from([input]), stdout: capture("stdout"), stderr: capture("stderr") }
    const restore = Object.entries(streams).map(([name, stream]) => replaceMember(name, stream))
    const exitCode = process.exitCode
    process.exitCode = 0
    try {
      await run(args)
      return { code: Number(process.exitCode), signal: null, ...said }
    } finally {
      process.exitCode = exitCode
      for (const undo of restore) undo()
      signals.close()
    }
  })
}

/** Runs a command that goes on until Ctrl-C, and presses it as soon as the output is enough. */
export function runUntilEnough(
  isEnough: (stdout: string, stderr: string) => boolean,
  args: readonly string[],
  env: Settings,
): Promise<Ran> {
  const said = { stdout: "", stderr: "" }
  const onOutput = (stream: keyof typeof said, piece: string, pressCtrlC: () => void) => {
    said[stream] += piece
    if (isEnough(said.stdout, said.stderr)) pressCtrlC()
  }
  return runInProcess(args, { env, onOutput })
}

/** Replaces a member of `process`, and returns the function that restores it. */
function replaceMember(name: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(process, name)!
  Object.defineProperty(process, name, { value, configurable: true, enumerable: true })
  return () => void Object.defineProperty(process, name, before)
}

/** Watches who listens to Ctrl-C from now on: the test runner does, too, and must not hear of it. */
function watchSignals() {
  const events = ["SIGINT", "SIGTERM", "warning"] as const
  const before = new Map(events.map((event) => [event, process.rawListeners(event)]))
  const listNew = (event: (typeof events)[number]) =>
    process.rawListeners(event).filter((each) => !before.get(event)!.includes(each))
  return {
    pressCtrlC: () => {
      for (const listener of listNew("SIGINT")) listener("SIGINT", 2)
    },
    close: () => {
      for (const event of events) {
        for (const listener of listNew(event)) process.off(event, listener as () => void)
        for (const listener of before.get(event)!) {
          if (!process.rawListeners(event).includes(listener)) process.on(event, listener as () => void)
        }
      }
    },
  }
}
