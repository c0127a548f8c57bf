import { readFileSync } from "node:fs"
import { join } from "node:path"
import { readRemoteEnvironment } from "../config/runtime-environment.ts"
import { CommandError } from "../core/errors.ts"
import { findHomeDirectory } from "../kit/home-directory.ts"
import { printMessage } from "./_print.ts"

/** The options that name a database of this machine, or a gateway. */
export interface RemoteArgs {
  readonly config?: string | undefined
  readonly gateway?: string | undefined
  readonly token?: string | undefined
}

/** Where `login` stores the gateway and its token (mode 0600). */
export const toLoginFile = (): string => join(findHomeDirectory(), ".majordomo", "login.json")

/**
 * Returns the gateway that a command asks: that of `--gateway`, of `MAJORDOMO_GATEWAY_URL` (if there is an admin token,
 * too), or of `login`; undefined if the command opens its own database. `--config` and `--demo` mean a database of this
 * machine.
 *
 * @throws CommandError for an address that is not one
 */
export function findGateway({ config, gateway, token }: RemoteArgs) {
  const environment = readRemoteEnvironment()
  if (gateway === undefined && config !== undefined) return undefined
  const login = readLogin()
  const own = token ?? environment.adminToken
  // Without a token, the variable is meant for the clients of the gateway, which use it too.
  const named = own === undefined ? undefined : environment.gatewayUrl
  const url = gateway ?? named ?? login?.url
  if (url === undefined) return undefined
  return { url: parseGatewayUrl(url), token: own ?? (login?.url === url ? login.token : undefined) }
}

/** Says that a command works on this machine, if the other commands of this user ask a gateway. */
export function noteThisMachine({ config }: Pick<RemoteArgs, "config">): void {
  if (config !== undefined || findGateway({}) === undefined) return
  printMessage("note: this command works on this machine, and not on the gateway of MAJORDOMO_GATEWAY_URL or login")
}

/** @throws CommandError (exit code 2) unless the text is an address such as `https://gateway.example.com` */
export function parseGatewayUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.search !== "") {
    throw new CommandError("--gateway: expected an address such as https://gateway.example.com", 2)
  }
  return url.href.replace(/\/+$/, "")
}

function readLogin(): { readonly url: string; readonly token: string } | undefined {
  try {
    const { url, token } = JSON.parse(readFileSync(toLoginFile(), "utf8")) as Record<string, unknown>
    return typeof url === "string" && typeof token === "string" ? { url, token } : undefined
  } catch {
    return undefined
  }
}
