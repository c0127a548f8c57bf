import type { Variables } from "./environment.ts"

/** What the environment says of the terminal and of how to tell errors; none of it is a setting. */
export interface RuntimeEnvironment {
  /** NO_COLOR is set to anything (https://no-color.org), or the terminal is a dumb one. */
  readonly noColor: boolean
  /** MAJORDOMO_DEBUG: show the stack of an internal error. */
  readonly debug: boolean
  /** The npm command that started this process, if one did. */
  readonly startedBy: "npx" | "npm start" | undefined
}

export function readRuntimeEnvironment(env: Variables = process.env): RuntimeEnvironment {
  const noColor = (env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb"
  const debug = !["", "0", "false"].includes(env["MAJORDOMO_DEBUG"] ?? "")
  return { noColor, debug, startedBy: findNpm(env) }
}

function findNpm(env: Variables): RuntimeEnvironment["startedBy"] {
  if (env["npm_command"] === "exec") return "npx"
  return env["npm_lifecycle_event"] === "start" ? "npm start" : undefined
}
