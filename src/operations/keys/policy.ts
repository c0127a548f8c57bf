import { parseAge } from "../../config/value-parsers.ts"
import { createTable } from "../../core/table.ts"
import type { KeyPolicyChange } from "../../database/keys.ts"
import { InputError } from "../input-error.ts"

/** The policy of a key as a person wrote it. A member that is undefined stays as it is. */
interface PolicyInput {
  /** `90d`, a date or a time, or `never`. */
  readonly expires?: string | undefined
  /** Patterns such as `gpt-5*`. An empty list and `any` remove the limit. */
  readonly models?: readonly string[] | undefined
  readonly providers?: readonly string[] | undefined
}

const MAX_PATTERNS = 100
const MAX_LENGTH = 256
/** The last time that an ISO date with four digits of a year can have. */
const MAX_TIME = Date.UTC(9999, 11, 31)

/**
 * Parses the policy of a key; undefined: nothing of it is given.
 *
 * @param now in milliseconds since the epoch
 * @throws InputError for a value that is not valid
 */
export function parsePolicy({ expires, models, providers }: PolicyInput, now: number): KeyPolicyChange | undefined {
  if (expires === undefined && models === undefined && providers === undefined) return undefined
  return {
    expiresAt: expires === undefined ? undefined : parseExpiry(expires.trim(), now),
    models: models && parseList(models, parseModel),
    providers: providers && parseList(providers, parseProvider),
  }
}

/** Returns null for no expiry. A date means its beginning in UTC. */
function parseExpiry(text: string, now: number): Date | null {
  if (text === "never" || text === "") return null
  const ageMs = parseAge(text)
  const isTime = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/.test(text)
  const at = ageMs !== undefined ? now + ageMs : isTime && isDay(text.slice(0, 10)) ? Date.parse(text) : Number.NaN
  const shown = JSON.stringify(text.slice(0, 60))
  if (!(at <= MAX_TIME)) {
    throw new InputError(
      "expires",
      `expected an age such as 90d, 12w or 1y, a date such as 2027-03-01 (its beginning in UTC), or never, got ${shown}`,
    )
  }
  if (at <= now) throw new InputError("expires", `${shown} is in the past: to end a key now, revoke it`)
  return new Date(at)
}

/** Whether the calendar has this day, such as 2027-02-28. `Date` takes the 30th of February for the 2nd of March. */
function isDay(day: string): boolean {
  const at = Date.parse(day)
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(day)
}

function parseList(texts: readonly string[], parse: (text: string, index: number) => string): readonly string[] | null {
  const parsed = [...new Set(texts.map((text) => text.trim().toLowerCase()).filter((text) => text !== ""))]
  if (parsed.length === 0 || (parsed.length === 1 && parsed[0] === "any")) return null
  return parsed.map(parse)
}

function parseModel(text: string, index: number): string {
  if (index >= MAX_PATTERNS) throw new InputError("models", `expected at most ${MAX_PATTERNS} patterns`)
  if (text.length <= MAX_LENGTH && /^[^*\s\0-\x1f\p{Surrogate}]+\*?$/u.test(text)) return text
  const shown = JSON.stringify(text.slice(0, 60))
  throw new InputError(
    "models",
    `expected names of models, or their beginnings with a * at the end, such as gpt-5*,claude-*, got ${shown}`,
  )
}

function parseProvider(text: string, index: number): string {
  if (index >= MAX_PATTERNS) throw new InputError("providers", `expected at most ${MAX_PATTERNS} providers`)
  if (/^[a-z0-9][a-z0-9_-]{0,62}$/.test(text)) return text
  const shown = JSON.stringify(text.slice(0, 60))
  throw new InputError("providers", `expected names of providers, such as openai,anthropic, got ${shown}`)
}

const GRACE_MS: Readonly<Record<string, number>> = createTable({
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
})
const MAX_GRACE_MS = 366 * 86_400_000

/**
 * Parses how long the old secret of a rotated key still works, to milliseconds; undefined and `0`: it does not.
 *
 * @throws InputError if it is no duration
 */
export function parseGrace(text: string | undefined): number {
  if (text === undefined || text.trim() === "0") return 0
  const [, count, unit = ""] = /^\s*(\d{1,6})\s*([mhdw])\s*$/.exec(text) ?? []
  const ms = Number(count) * (GRACE_MS[unit] ?? Number.NaN)
  if (ms <= MAX_GRACE_MS) return ms
  throw new InputError(
    "grace",
    `expected 0, or a time of at most a year such as 30m, 24h or 7d, got ${JSON.stringify(text.slice(0, 60))}`,
  )
}
