import type { Billing } from "../../core/cost.ts"

/** The usage of one request to a provider, as a coding agent reports it. */
export interface AgentUsage {
  /** The agent as it is named in its requests too, such as `claude-code/2.1`. */
  readonly client: string
  readonly provider: string
  readonly model: string
  readonly session: string | undefined
  /** The user as the agent's requests name it, so that relayed and reported requests have the same user. */
  readonly user: string | undefined
  readonly email: string | undefined
  /** When the answer was complete, in milliseconds since the epoch. */
  readonly endedAt: number
  readonly durationMs: number
  readonly tokens: AgentTokens
  /** The provider's id of the request; undefined: the report has none. */
  readonly requestId: string | undefined
  /** How it is paid, if the report says so. */
  readonly billing: Billing | "api" | undefined
  readonly speed: string | undefined
  /** The parts of the price that the report does not tell. */
  readonly missing: readonly string[]
  /** The statements of the report, for the row. */
  readonly evidence: Readonly<Record<string, unknown>>
}

/** Tokens in buckets that do not overlap. */
interface AgentTokens {
  readonly input: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly output: number
  readonly reasoning: number
}

/** The attributes of an event by their names, with its resource's as far as they are not its own. */
export type EventAttributes = Readonly<Record<string, unknown>>

/** The reason why an event of usage cannot become a row. It is safe to show to the client. */
export class InvalidEvent extends Error {
  override readonly name = "InvalidEvent"
}

/** Reads a count, which some agents send as text. @throws InvalidEvent if it is no whole number that is not negative */
export function readCount(attributes: EventAttributes, name: string): number {
  const value = attributes[name]
  if (value === undefined || value === null || value === "") return 0
  const count = Number(value)
  if (!Number.isSafeInteger(count) || count < 0 || count > MAX_TOKENS)
    throw new InvalidEvent(`${name} is no count of tokens`)
  return count
}

/** No answer has more tokens. A larger count would make sums useless. */
const MAX_TOKENS = 1_000_000_000

export function readText(attributes: EventAttributes, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = attributes[name]
    if (typeof value === "string" && value !== "") return value
  }
  return undefined
}

/**
 * Returns how a report says that it is paid. Claude Code's events do not tell a login from an API key, so the operator can,
 * with `OTEL_RESOURCE_ATTRIBUTES=majordomo.billing=subscription`.
 */
export function readBilling(attributes: EventAttributes): Billing | "api" | undefined {
  const value = attributes[BILLING]
  return value === "subscription" || value === "api" ? value : undefined
}

export const BILLING = "majordomo.billing"

/** Keeps those attributes that are text or numbers, and short. */
export function pickEvidence(attributes: EventAttributes, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = attributes[name]
      const isShort =
        typeof value === "number" || typeof value === "boolean" || (typeof value === "string" && value.length <= 255)
      return isShort ? [[name, value]] : []
    }),
  )
}

/** Returns the name of a program with two numbers of its version: `claude-code/2.1`. */
export function toClient(name: string, version: string | undefined): string {
  const short = /^\d{1,6}(?:\.\d{1,6})?/.exec(version ?? "")?.[0]
  return short === undefined ? name : `${name}/${short}`
}
