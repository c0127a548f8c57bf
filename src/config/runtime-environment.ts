import type { Variables } from "./environment.ts"

/** Facts from the environment about the terminal and the display of errors. None of them is a setting. */
interface RuntimeEnvironment {
  /** True when NO_COLOR is not empty (https://no-color.org), or when the terminal supports no colors. */
  readonly noColor: boolean
  /** True when MAJORDOMO_DEBUG asks to show the stack trace of internal errors. */
  readonly debug: boolean
  /** True when npx or `npm exec` started the program. */
  readonly isNpx: boolean
}

export function readRuntimeEnvironment(env: Variables = process.env): RuntimeEnvironment {
  const noColor = (env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb"
  const debug = !["", "0", "false"].includes(env["MAJORDOMO_DEBUG"] ?? "")
  return { noColor, debug, isNpx: env["npm_command"] === "exec" }
}
