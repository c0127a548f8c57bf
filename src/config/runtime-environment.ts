import type { Variables } from "./environment.ts"

/** Facts from the environment about the terminal and the display of errors. None of them is a setting. */
interface RuntimeEnvironment {
  /** True when NO_COLOR is not empty (https://no-color.org), or when the terminal supports no colors. */
  readonly noColor: boolean
  /** True when MAJORDOMO_DEBUG is set. Internal errors are then shown with their stack trace. */
  readonly debug: boolean
  /** The npm command that started the program, if one did. */
  readonly startedBy: "npx" | "npm start" | undefined
}

export function readRuntimeEnvironment(env: Variables = process.env): RuntimeEnvironment {
  const noColor = (env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb"
  const debug = !["", "0", "false"].includes(env["MAJORDOMO_DEBUG"] ?? "")
  return { noColor, debug, startedBy: findNpm(env) }
}

/** The gateway that commands ask from afar. */
export function readRemoteEnvironment(env: Variables = process.env): {
  readonly gatewayUrl: string | undefined
  readonly adminToken: string | undefined
} {
  return {
    gatewayUrl: env["MAJORDOMO_GATEWAY_URL"] || undefined,
    adminToken: env["MAJORDOMO_ADMIN_TOKEN"] || undefined,
  }
}

function findNpm(env: Variables): RuntimeEnvironment["startedBy"] {
  if (env["npm_command"] === "exec") return "npx"
  return env["npm_lifecycle_event"] === "start" ? "npm start" : undefined
}
