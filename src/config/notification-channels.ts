import { CHAT_TYPES, type NotificationChannel, type NotificationChannels } from "../core/notification-settings.ts"
import { isRecord } from "../kit/json/is-record.ts"
import { FieldProblem, tryToParse } from "./field-problem.ts"
import { findNearest } from "./nearest.ts"
import { showValue } from "./sources.ts"
import { INVALID, list, type ValueParser } from "./value-parsers.ts"

const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/
const MAX_CHANNELS = 50
const MAX_URL_LENGTH = 4000
const MIN_SECRET_LENGTH = 16

/** Channels of notifications by their names. Text is parsed as JSON. */
export const channelTable: ValueParser<NotificationChannels, ""> = {
  unit: "",
  expected: "channels by name, such as { ops: { type: slack, url: … } }",
  parse: (raw) => {
    const result = tryToParse(() => parseChannels(raw))
    return "value" in result ? result.value : INVALID
  },
  explain: (raw) => {
    const result = tryToParse(() => parseChannels(raw))
    return "problem" in result ? result.problem : { path: "", why: "" }
  },
}

/** Returns the table of channels that somebody wrote, unchecked; undefined if it is none. */
export function readTable(raw: unknown): Readonly<Record<string, unknown>> | undefined {
  const table = typeof raw === "string" ? parseJson(raw) : raw
  return isRecord(table) ? table : undefined
}

function parseChannels(raw: unknown): NotificationChannels {
  const table = readTable(raw)
  if (table === undefined) throw new FieldProblem("", `expected ${channelTable.expected}, ${NOT_SHOWN}`)
  const entries = Object.entries(table)
  if (entries.length > MAX_CHANNELS) throw new FieldProblem("", `expected at most ${MAX_CHANNELS} channels`)
  return Object.fromEntries(entries.map(([name, given]) => [name, parseChannel(name, given)]))
}

/** The fields of a channel are mostly secrets, so that no value of them is shown. */
const NOT_SHOWN = "got another value (not shown)"

const TYPES = ["webhook", ...CHAT_TYPES, "email"] as const
const FIELDS: Readonly<Record<(typeof TYPES)[number], readonly string[]>> = {
  webhook: ["url", "secret"],
  slack: ["url"],
  discord: ["url"],
  teams: ["url"],
  mattermost: ["url"],
  email: ["to", "from", "smtp"],
}

function parseChannel(name: string, given: unknown): NotificationChannel {
  const at = `.${name}`
  if (!NAME.test(name)) {
    throw new FieldProblem(`.${name.slice(0, 60)}`, "expected a name of at most 40 letters, digits, - and _")
  }
  if (!isRecord(given)) throw new FieldProblem(at, `expected a channel with a type, ${NOT_SHOWN}`)
  const type = TYPES.find((each) => each === given["type"])
  if (type === undefined) throw new FieldProblem(`${at}.type`, explainType(given["type"]))
  const unknown = Object.keys(given).find((field) => field !== "type" && !FIELDS[type].includes(field))
  if (unknown !== undefined) throw new FieldProblem(`${at}.${unknown.slice(0, 60)}`, explainField(type, unknown))
  const field = <T>(key: string, expected: string, parse: (raw: unknown) => T | undefined): T => {
    const raw = given[key]
    const value = parse(raw)
    if (value !== undefined) return value
    const got = raw === undefined || raw === null || raw === "" ? "got nothing" : NOT_SHOWN
    throw new FieldProblem(`${at}.${key}`, `expected ${expected}, ${got}`)
  }
  switch (type) {
    case "email":
      return {
        type,
        to: field("to", "e-mail addresses", parseAddresses),
        from: field("from", "an e-mail address, such as gateway@example.com", parseSender),
        smtp: field(
          "smtp",
          "smtp:// or smtps:// with a host, such as smtps://user:password@smtp.example.com",
          parseSmtp,
        ),
      }
    case "webhook":
      return {
        type,
        url: field("url", "an http:// or https:// address", parseWebAddress),
        secret: isAbsent(given["secret"])
          ? undefined
          : field("secret", `text of at least ${MIN_SECRET_LENGTH} characters`, parseSecret),
      }
    default:
      return { type, url: field("url", "an http:// or https:// address", parseWebAddress) }
  }
}

const isAbsent = (raw: unknown) => raw === undefined || raw === null || raw === ""

function explainType(raw: unknown): string {
  const meant = typeof raw === "string" ? findNearest(raw, TYPES) : undefined
  return `expected one of ${TYPES.join(", ")}, got ${showValue(raw)}${meant === undefined ? "" : `; did you mean ${meant}?`}`
}

function explainField(type: keyof typeof FIELDS, name: string): string {
  const meant = findNearest(name, FIELDS[type])
  const known = `it has type, ${FIELDS[type].join(", ")}`
  return `a channel of the type ${type} has no such field; ${meant === undefined ? known : `did you mean ${meant}?`}`
}

function parseWebAddress(raw: unknown): string | undefined {
  if (typeof raw !== "string" || raw.length > MAX_URL_LENGTH || /[\s\x00-\x1f]/.test(raw)) return undefined
  if (!URL.canParse(raw)) return undefined
  const { protocol, hash, username, password } = new URL(raw)
  return /^https?:$/.test(protocol) && hash === "" && isEncoded(username + password) ? raw : undefined
}

function parseSmtp(raw: unknown): string | undefined {
  if (typeof raw !== "string" || /\s/.test(raw) || !URL.canParse(raw)) return undefined
  const { protocol, hostname, pathname, search, hash, username, password } = new URL(raw)
  if (!/^smtps?:$/.test(protocol) || hostname === "" || !/^\/?$/.test(pathname) || search + hash !== "")
    return undefined
  return isEncoded(username + password) ? raw : undefined
}

function isEncoded(text: string): boolean {
  try {
    return decodeURIComponent(text) !== undefined
  } catch {
    return false
  }
}

function parseSecret(raw: unknown): string | undefined {
  return typeof raw === "string" && raw.length >= MIN_SECRET_LENGTH && !raw.includes("\0") ? raw : undefined
}

const ADDRESS = /^[^\s@<>(),;:"\\]+@[^\s@<>(),;:"\\]+$/

function parseAddresses(raw: unknown): readonly string[] | undefined {
  const addresses = list.parse(raw, "")
  if (addresses === INVALID || addresses.length === 0 || addresses.length > 100) return undefined
  return addresses.every((address) => ADDRESS.test(address)) ? addresses : undefined
}

/** An address, or a name with an address: `Gateway <gateway@example.com>`. */
function parseSender(raw: unknown): string | undefined {
  if (typeof raw !== "string" || raw.length > 320) return undefined
  const [, inside = raw] = /^[^<>"\x00-\x1f\x7f]*<([^<>]*)>$/.exec(raw) ?? []
  return ADDRESS.test(inside) ? raw : undefined
}

function parseJson(text: string): unknown {
  if (text === "") return {}
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
