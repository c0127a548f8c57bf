import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

const BIN = fileURLToPath(new URL("../../bin/majordomo.mjs", import.meta.url))

/** Starts a command of the built program, which can be killed at any moment. */
export function spawnInstalled(args: readonly string[], env: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, [BIN, ...args], { env, stdio: "ignore" })
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  const ended = new Promise<void>((resolve) => void child.once("exit", () => resolve()))
  return {
    ended,
    hasEnded,
    /** Returns whether it still ran. */
    kill: () => !hasEnded() && child.kill("SIGKILL"),
  }
}
