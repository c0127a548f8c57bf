import { homedir } from "node:os"
import { isAbsolute, join, resolve } from "node:path"

/** What a kind's parser answers when it does not accept the value. */
export const REFUSED: unique symbol = Symbol("refused")

/** `Ms` and `Bytes` become part of the property's name: `read_timeout` is `readTimeoutMs`. */
export type Unit = "" | "Ms" | "Bytes"

/** One kind of value: what is accepted, in words, and the reading of it. */
export interface ValueParser<T, U extends Unit = Unit> {
  readonly unit: U
  /** Completes "expected …". */
  readonly expected: string
  /** `raw` is text from the environment or a flag, or whatever a file's format yields; relative paths start at `dir`. */
  parse(raw: unknown, dir: string): T | typeof REFUSED
}

export const text: ValueParser<string, ""> = {
  unit: "",
  expected: "text (in quotes if it looks like a number)",
  parse: (raw) => (typeof raw === "string" && !raw.includes("\0") ? raw : REFUSED),
}

/** Text that is needed: a host, a name. */
export const word: ValueParser<string, ""> = {
  unit: "",
  expected: "a name without spaces",
  parse: (raw) => (typeof raw === "string" && /^[^\s\0]+$/.test(raw) ? raw : REFUSED),
}

export const yesOrNo: ValueParser<boolean, ""> = {
  unit: "",
  expected: "true or false",
  parse: (raw) => {
    if (typeof raw === "boolean") return raw
    const said = String(raw).trim().toLowerCase()
    if (["true", "yes", "on", "1"].includes(said)) return true
    return ["false", "no", "off", "0"].includes(said) ? false : REFUSED
  },
}

export function wholeNumber(min: number, max: number): ValueParser<number, ""> {
  return {
    unit: "",
    expected: `a whole number from ${min} to ${max}`,
    parse: (raw) => {
      const value = typeof raw === "string" && /^\s*\d+\s*$/.test(raw) ? Number(raw) : raw
      return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max ? value : REFUSED
    },
  }
}

export function oneOf<const T extends string>(...names: readonly T[]): ValueParser<T, ""> {
  return {
    unit: "",
    expected: names.length === 2 ? names.join(" or ") : `one of ${names.join(", ")}`,
    parse: (raw) => names.find((name) => name === raw) ?? REFUSED,
  }
}

/** Either of two kinds: `workers: 4` or `workers: auto`. */
export function either<A, B>(one: ValueParser<A, "">, other: ValueParser<B, "">): ValueParser<A | B, ""> {
  return {
    unit: "",
    expected: `${one.expected}, or ${other.expected}`,
    parse: (raw, dir) => {
      const value = one.parse(raw, dir)
      return value === REFUSED ? other.parse(raw, dir) : value
    },
  }
}

/** Several texts. As one text: separated by commas, or a JSON list where they hold commas themselves. */
export const list: ValueParser<readonly string[], ""> = {
  unit: "",
  expected: "a list of texts",
  parse: (raw) => {
    const items = typeof raw === "string" ? splitList(raw.trim()) : raw
    return Array.isArray(items) && items.every((item) => typeof item === "string" && item !== "") ? items : REFUSED
  },
}

function splitList(text: string): unknown {
  if (!text.startsWith("[")) return text === "" ? [] : text.split(",").map((item) => item.trim())
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
/** Node's timers hold 31 bits: a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

export const duration: ValueParser<number, "Ms"> = {
  unit: "Ms",
  expected: "a duration from 1ms to 24d, such as 250ms, 30s, 5m or 1h30m",
  parse: (raw) => {
    if (typeof raw !== "string" || !/^\s*(\d+(\.\d+)?(ms|s|m|h|d))+\s*$/.test(raw)) return REFUSED
    let sum = 0
    for (const [, count, unit] of raw.matchAll(/([\d.]+)(ms|[smhd])/g))
      sum += Number(count) * MS[unit as keyof typeof MS]
    const ms = Math.round(sum)
    return ms >= 1 && ms <= MAX_TIMER_MS ? ms : REFUSED
  },
}

const AGE_MS: Readonly<Record<string, number>> = { d: MS.d, w: 7 * MS.d, y: 365 * MS.d }

/** `90d`, `12w`, `1y` in milliseconds; at least a day. Undefined: something else. */
export function parseAge(text: string): number | undefined {
  const [, count, unit = ""] = /^\s*([1-9]\d{0,4})\s*([dwy])\s*$/.exec(text) ?? []
  return count === undefined ? undefined : Number(count) * AGE_MS[unit]!
}

/** How long something is kept; undefined: for ever. */
export const age: ValueParser<number | undefined, "Ms"> = {
  unit: "Ms",
  expected: "`keep`, or an age such as 90d, 12w or 1y",
  parse: (raw) => (raw === "keep" || raw === "" ? undefined : (parseAge(String(raw)) ?? REFUSED)),
}

const BYTES: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
}

export const size: ValueParser<number, "Bytes"> = {
  unit: "Bytes",
  expected: "a number of bytes, or a size such as 64KiB, 10MB or 1GiB",
  parse: (raw) => {
    const [, count, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(String(raw)) ?? []
    const factor = BYTES[(unit ?? "?").toLowerCase()]
    if (factor === undefined) return REFUSED
    const bytes = Math.round(Number(count) * factor)
    return bytes >= 1 && Number.isSafeInteger(bytes) ? bytes : REFUSED
  },
}

/** A file or directory; absolute, with `~` for the home directory. */
export const path: ValueParser<string, ""> = {
  unit: "",
  expected: "a path",
  parse: (raw, dir) => {
    if (typeof raw !== "string" || raw.trim() === "" || raw.includes("\0")) return REFUSED
    if (raw === "~" || /^~[\\/]/.test(raw)) return join(homedir(), raw.slice(1))
    return isAbsolute(raw) ? raw : resolve(dir, raw)
  },
}

/** An address for requests: http or https, without query, fragment or credentials; a trailing slash is trimmed. */
export const webAddress: ValueParser<string, ""> = {
  unit: "",
  expected: "an http:// or https:// address without credentials, query or fragment",
  parse: (raw) => {
    if (typeof raw !== "string" || !URL.canParse(raw) || /[?#\s]/.test(raw)) return REFUSED
    const url = new URL(raw)
    if (!/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") return REFUSED
    return `${url.origin}${url.pathname}`.replace(/\/+$/, "")
  },
}

export const postgresAddress: ValueParser<string, ""> = {
  unit: "",
  expected: "a connection string such as postgres://user:password@host:5432/database",
  parse: (raw) => (typeof raw === "string" && /^postgres(ql)?:\/\/\S*$/.test(raw) ? raw : REFUSED),
}

/** `kind`, and the empty text for "none". */
export function orNothing<U extends Unit>(kind: ValueParser<string, U>): ValueParser<string | undefined, U> {
  return { ...kind, parse: (raw, dir) => (raw === "" ? undefined : kind.parse(raw, dir)) }
}
