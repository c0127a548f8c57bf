import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { RemoteGateway } from "../api/remote-errors.ts"
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
 * @throws CommandError for an address or a token that is not one
 */
export function findGateway(args: RemoteArgs): RemoteGateway | undefined {
  const address = findAddress(args)
  if (address === undefined) return undefined
  const { token = readRemoteEnvironment().adminToken } = args
  const url = parseGatewayUrl(address.text, address.source)
  if (token === undefined) {
    const login = readLogin()
    return { url, token: login?.url === url ? login.token : undefined, tokenSource: "login" }
  }
  const tokenSource = args.token === undefined ? "MAJORDOMO_ADMIN_TOKEN" : "--token"
  return { url, token: parseToken(token, tokenSource), tokenSource }
}

function findAddress({
  config,
  gateway,
  token,
}: RemoteArgs): { readonly text: string; readonly source: string } | undefined {
  if (gateway !== undefined) return { text: gateway, source: "--gateway" }
  if (config !== undefined) return undefined
  const { gatewayUrl, adminToken = token } = readRemoteEnvironment()
  // Without a token, the variable is meant for the clients of the gateway, which use it too.
  if (gatewayUrl !== undefined && adminToken !== undefined) return { text: gatewayUrl, source: "MAJORDOMO_GATEWAY_URL" }
  const login = readLogin()
  return login && { text: login.url, source: toLoginFile() }
}

/** Says that a command works on this machine, if the other commands of this user ask a gateway. */
export function noteThisMachine({ config }: Pick<RemoteArgs, "config">): void {
  if (config !== undefined || findAddress({}) === undefined) return
  printMessage("note: this command works on this machine, and not on the gateway of MAJORDOMO_GATEWAY_URL or login")
}

/**
 * Returns the address of a gateway without what people copy with it: the path of the dashboard or of the admin API.
 *
 * @param source where the text is from, such as `--gateway`
 * @throws CommandError (exit code 2) unless the text is an address such as `https://gateway.example.com`
 */
export function parseGatewayUrl(text: string, source: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.search !== "") {
    throw new CommandError(`${source}: expected an address such as https://gateway.example.com`, 2)
  }
  url.hash = ""
  return url.href.replace(/(\/dashboard(\/.*)?|\/api\/v1(\/.*)?)?\/*$/, "")
}

/**
 * Checks a token before it is sent. Its text is not repeated.
 *
 * @param source where the token is from, such as `--token`
 * @throws CommandError (exit code 2) unless the text can be an admin token
 */
export function parseToken(text: string, source: string): string {
  const token = text.trim()
  if (/^mdm_sk_/.test(token)) {
    throw new CommandError(
      `${source}: got an API key, and expected an admin token of majordomo-gateway tokens create`,
      2,
    )
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new CommandError(`${source}: expected an admin token, and got a text with characters that no token has`, 2)
  }
  return token
}

function readLogin(): { readonly url: string; readonly token: string } | undefined {
  try {
    const { url, token } = JSON.parse(readFileSync(toLoginFile(), "utf8")) as Record<string, unknown>
    return typeof url === "string" && typeof token === "string" ? { url, token } : undefined
  } catch {
    return undefined
  }
}
