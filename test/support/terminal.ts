import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Ran, Settings } from "./gateway.ts"

const BIN = fileURLToPath(new URL("../../bin/majordomo.mjs", import.meta.url))

/** Why commands cannot run on a terminal here; undefined if they can. */
export const noTerminal = process.platform === "linux" ? undefined : "script(1) has other options on this system"

/**
 * Runs a command of the built program on a terminal (of script(1), from util-linux), with PATH and `env`. Its stdout and
 * stderr are the same there. Once `prompt` is on the screen, `answer` is typed.
 */
export async function runOnTerminal(
  args: readonly string[],
  { env, prompt, answer }: { readonly env: Settings; readonly prompt?: RegExp; readonly answer?: string },
): Promise<Pick<Ran, "code"> & { readonly screen: string }> {
  const command = [process.execPath, BIN, ...args].map((word) => `'${word}'`).join(" ")
  const child = spawn("script", ["-qec", command, "/dev/null"], {
    env: { PATH: process.env["PATH"] ?? "", TERM: "xterm", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  })
  let screen = ""
  let hasAnswered = false
  child.stdout.on("data", (bytes: Buffer) => {
    screen += bytes
    if (hasAnswered || prompt?.test(screen) !== true) return
    hasAnswered = true
    child.stdin.write(`${answer}\n`)
  })
  const code = await new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve))
  return { code, screen }
}
