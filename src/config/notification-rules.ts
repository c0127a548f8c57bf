import { NOTIFICATION_KINDS, type NotificationKind, type NotificationSeverity } from "../core/notification.ts"
import type { DigestTime, NotificationChannels, NotificationRule } from "../core/notification-settings.ts"
import { findZone } from "../core/time-zone.ts"
import { isRecord } from "../kit/json/is-record.ts"
import { FieldProblem, tryToParse } from "./field-problem.ts"
import { findNearest } from "./nearest.ts"
import { type Notes, showValue, toProblemLine } from "./sources.ts"
import { INVALID, list, type ValueParser } from "./value-parsers.ts"

const FIELDS = ["when", "to", "severity", "limit", "provider", "every", "at"] as const
const SEVERITIES: readonly NotificationSeverity[] = ["info", "warning", "critical"]
const PERIODS: readonly DigestTime["every"][] = ["day", "week", "month"]
const DEFAULT_TIME = "09:00"
/** The kinds that a rule without a list means: a digest needs a time. */
export const EVENT_KINDS: readonly NotificationKind[] = NOTIFICATION_KINDS.filter((kind) => kind !== "digest")
const WITH_PROVIDER: readonly NotificationKind[] = ["unpriced_model", "price_changed", "reconciliation", "new_key"]

/** The rules of notifications. Text is parsed as JSON. */
export const ruleList: ValueParser<readonly NotificationRule[], ""> = {
  unit: "",
  expected: "a list of rules, each with when and to",
  parse: (raw) => {
    const result = tryToParse(() => parseRules(raw))
    return "value" in result ? result.value : INVALID
  },
  explain: (raw) => {
    const result = tryToParse(() => parseRules(raw))
    return "problem" in result ? result.problem : { path: "", why: "" }
  },
}

/** An IANA time zone. */
export const timeZone: ValueParser<string, ""> = {
  unit: "",
  expected: "a time zone such as Europe/Berlin",
  parse: (raw) => (typeof raw === "string" ? (findZone(raw) ?? INVALID) : INVALID),
}

/** Adds a problem for each channel that a rule names and that is not there. */
export function checkRules(
  values: ReadonlyMap<string, unknown>,
  sources: ReadonlyMap<string, string>,
  notes: Notes,
): void {
  const path = "notifications.rules"
  const [rules, channels] = [values.get(path), values.get("notifications.channels")]
  if (!Array.isArray(rules) || !isRecord(channels)) return
  const names = Object.keys(channels as NotificationChannels)
  for (const [index, { to }] of (rules as readonly NotificationRule[]).entries()) {
    for (const [position, name] of to.entries()) {
      if (names.includes(name)) continue
      const meant = findNearest(name, names)
      const why = `there is no channel ${showValue(name)}${meant === undefined ? "" : `; did you mean ${meant}?`}`
      notes.problems.push(toProblemLine(`${path}[${index}].to[${position}]`, sources.get(path) ?? "unset", why))
    }
  }
}

function parseRules(raw: unknown): readonly NotificationRule[] {
  const given = typeof raw === "string" ? parseJson(raw) : raw
  if (!Array.isArray(given)) throw new FieldProblem("", `expected ${ruleList.expected}, got ${showValue(given)}`)
  return given.map((each: unknown, index) => parseRule(each, `[${index}]`))
}

function parseRule(given: unknown, path: string): NotificationRule {
  if (!isRecord(given)) throw new FieldProblem(path, `expected a rule with when and to, got ${showValue(given)}`)
  const unknown = Object.keys(given).find((name) => !FIELDS.some((field) => field === name))
  if (unknown !== undefined) throw new FieldProblem(`${path}.${unknown.slice(0, 60)}`, explainUnknown(unknown))
  const kinds = parseKinds(given["when"], `${path}.when`)
  const rule = {
    kinds,
    to: parseNames(given["to"], `${path}.to`, "names of channels"),
    severity: parseOneOf(given["severity"], SEVERITIES, `${path}.severity`),
    limits: parseFilter(given["limit"], { kinds, of: ["limit"], path: `${path}.limit` }),
    providers: parseFilter(given["provider"], { kinds, of: WITH_PROVIDER, path: `${path}.provider` }),
  }
  return { ...rule, digest: parseDigest(given, kinds, path) }
}

function parseKinds(raw: unknown, path: string): readonly NotificationKind[] {
  const names = raw === "all" ? EVENT_KINDS : parseNames(raw, path, `all, or some of ${NOTIFICATION_KINDS.join(", ")}`)
  const kinds = names.map((name) => {
    const kind = NOTIFICATION_KINDS.find((each) => each === name)
    if (kind !== undefined) return kind
    const meant = findNearest(name, NOTIFICATION_KINDS)
    const known = meant === undefined ? `; there are ${NOTIFICATION_KINDS.join(", ")}` : `; did you mean ${meant}?`
    throw new FieldProblem(path, `there is no kind ${showValue(name)}${known}`)
  })
  if (!kinds.includes("digest") || kinds.length === 1) return kinds
  throw new FieldProblem(path, "a digest needs a rule of its own")
}

function parseDigest(
  given: Readonly<Record<string, unknown>>,
  kinds: readonly NotificationKind[],
  path: string,
): DigestTime | undefined {
  const isDigest = kinds.includes("digest")
  const other = ["every", "at"].find((name) => !isDigest && given[name] !== undefined)
  if (other !== undefined) throw new FieldProblem(`${path}.${other}`, "only the kind digest has such a field")
  if (!isDigest) return undefined
  if (given["severity"] !== undefined) throw new FieldProblem(`${path}.severity`, "a digest has none")
  const every = parseOneOf(given["every"], PERIODS, `${path}.every`)
  if (every === undefined) throw new FieldProblem(`${path}.every`, "expected day, week or month, got nothing")
  const at = given["at"] ?? DEFAULT_TIME
  if (typeof at === "string" && /^(?:[01]\d|2[0-3]):[0-5]\d$/.test(at)) return { every, at }
  throw new FieldProblem(`${path}.at`, `expected a time of day such as "09:00", got ${showValue(at)}`)
}

/** Names that a rule may have only if each of its kinds has such a thing. */
function parseFilter(
  raw: unknown,
  {
    kinds,
    of,
    path,
  }: { readonly kinds: readonly NotificationKind[]; readonly of: readonly string[]; readonly path: string },
): readonly string[] | undefined {
  if (raw === undefined || raw === null) return undefined
  const other = kinds.find((kind) => !of.includes(kind))
  if (other === undefined) return parseNames(raw, path, "names")
  throw new FieldProblem(path, `notifications of the kind ${other} have no such thing; only ${of.join(", ")}`)
}

function parseNames(raw: unknown, path: string, expected: string): readonly string[] {
  const names = list.parse(raw, "")
  if (names !== INVALID && names.length > 0) return [...new Set(names)]
  throw new FieldProblem(path, `expected ${expected}, got ${showValue(raw)}`)
}

function parseOneOf<T extends string>(raw: unknown, names: readonly T[], path: string): T | undefined {
  if (raw === undefined || raw === null) return undefined
  const found = names.find((name) => name === raw)
  if (found !== undefined) return found
  throw new FieldProblem(path, `expected one of ${names.join(", ")}, got ${showValue(raw)}`)
}

function explainUnknown(name: string): string {
  const meant = findNearest(name, FIELDS)
  return `a rule has no such field${meant === undefined ? `; it has ${FIELDS.join(", ")}` : `; did you mean ${meant}?`}`
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
