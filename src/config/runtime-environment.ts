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

/**
 * The gateway that Claude Code uses, and the API key of the gateway. Programs that it starts have its environment. Variables
 * of ours take precedence.
 */
export function readAgentEnvironment(env: Variables = process.env): {
  readonly gatewayUrl: string | undefined
  readonly apiKey: string | undefined
  /** The value of `TZ`, in any of its forms. */
  readonly timeZone: string | undefined
} {
  const baseUrl = env["ANTHROPIC_BASE_URL"] ?? ""
  // Its path may name a provider of the gateway.
  const origin = URL.canParse(baseUrl) ? new URL(baseUrl).origin : undefined
  const header = /^\s*x-majordomo-key\s*:\s*(\S+)\s*$/im.exec(env["ANTHROPIC_CUSTOM_HEADERS"] ?? "")?.[1]
  // A gateway that stores the provider's key takes its own key in this place.
  const inPlace = [env["ANTHROPIC_AUTH_TOKEN"], env["ANTHROPIC_API_KEY"]].find((key) => key?.startsWith("mdm_sk_"))
  return {
    gatewayUrl: env["MAJORDOMO_GATEWAY_URL"] || origin,
    apiKey: env["MAJORDOMO_API_KEY"] || header || inPlace,
    timeZone: env["TZ"] || undefined,
  }
}

function findNpm(env: Variables): RuntimeEnvironment["startedBy"] {
  if (env["npm_command"] === "exec") return "npx"
  return env["npm_lifecycle_event"] === "start" ? "npm start" : undefined
}
