import { readlinkSync } from "node:fs"
import type { OutputOf } from "../api/_route.ts"
import type { me } from "../api/routes/me.ts"
import { readAgentEnvironment } from "../config/runtime-environment.ts"
import { CommandError } from "../core/errors.ts"
import { getText } from "../kit/get-text.ts"
import { findGateway, parseGatewayUrl, type RemoteArgs } from "./_gateway.ts"

export type Spending = OutputOf<typeof me.spending>

interface Address {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

/** A status line is drawn again soon, so it does not wait long. */
const TIMEOUT_MS = 1500
const MAX_BODY_LENGTH = 1024 * 1024

/**
 * Asks a gateway what the session and the day cost: with the API key that Claude Code uses, else with an admin token.
 *
 * @throws CommandError that says in a few words why there is no answer
 */
export async function fetchSpending(args: RemoteArgs, session: string | undefined): Promise<Spending> {
  const { url, headers } = findAddress(args)
  const query = new URLSearchParams({ tz: findTimeZone(), ...(session !== undefined && { session }) })
  const { status, body } = await getText(`${url}/api/v1/me/spending?${query}`, {
    headers: { Accept: "application/json", ...headers },
    timeoutMs: TIMEOUT_MS,
    maxLength: MAX_BODY_LENGTH,
  })
  if (status === undefined) throw new CommandError(`no answer from ${new URL(url).host}`)
  if (status === 200) return parseSpending(body)
  if (status === 401) throw new CommandError("the gateway does not accept this key or token")
  if (status === 403) throw new CommandError("the gateway is not called by this name (admin.hosts)")
  if (status === 404) throw new CommandError("the gateway is too old, or has no admin API at this address")
  throw new CommandError(`the gateway answered with status ${status}`)
}

/** Another program may answer at the address, such as the page of a network that asks people to sign in. */
function parseSpending(body: string): Spending {
  try {
    const spending = JSON.parse(body) as Spending
    const { session, limits } = spending
    if (isSum(spending.today) && (session === null || isSum(session)) && limits.every(isLimit)) return spending
  } catch {
    // It is no JSON, or of another shape.
  }
  throw new CommandError("the address answers, but not as a gateway does")
}

const DECIMAL = /^-?\d+(\.\d+)?$/
const isDecimal = (value: unknown): boolean => typeof value === "string" && DECIMAL.test(value)

function isSum({ requests, total_cost: cost, subscription_value: value }: Spending["today"]): boolean {
  return typeof requests === "number" && (cost === null || isDecimal(cost)) && (value === null || isDecimal(value))
}

function isLimit({ name, measure, amount, remaining }: Spending["limits"][number]): boolean {
  return [name, measure].every((text) => typeof text === "string") && [amount, remaining].every(isDecimal)
}

function findAddress(args: RemoteArgs): Address {
  const { gatewayUrl = args.gateway, apiKey } = readAgentEnvironment()
  const url = args.gateway ?? gatewayUrl
  if (url !== undefined && apiKey !== undefined && args.token === undefined) {
    return { url: parseGatewayUrl(url, "the gateway"), headers: { "X-Majordomo-Key": apiKey } }
  }
  const gateway = findGateway(args)
  if (gateway?.token === undefined) throw new CommandError("no key of the gateway is set (MAJORDOMO_API_KEY)")
  return { url: gateway.url, headers: { Authorization: `Bearer ${gateway.token}` } }
}

/** The name of a time zone, as in `Europe/Lisbon`. `TZ` may have other forms. */
const ZONE = /^(UTC|[A-Z]\w+(\/[\w+-]+)+)$/i

/** Returns the time zone of this machine. To ask `Intl` takes 15 ms, because it loads its data. */
function findTimeZone(): string {
  const { timeZone = readZoneLink() } = readAgentEnvironment()
  return timeZone !== undefined && ZONE.test(timeZone) ? timeZone : Intl.DateTimeFormat().resolvedOptions().timeZone
}

/** Returns the time zone to which the system's file is a link, such as `/usr/share/zoneinfo/Europe/Lisbon`. */
function readZoneLink(): string | undefined {
  try {
    return readlinkSync("/etc/localtime").split("/zoneinfo/")[1]
  } catch {
    return undefined
  }
}
