import { isAbsolute, join, resolve } from "node:path"
import { createTable } from "../core/table.ts"
import { findHomeDirectory } from "../kit/home-directory.ts"
import { isRecord } from "../kit/json/is-record.ts"

/** The result of a parser that does not accept the value. */
export const INVALID: unique symbol = Symbol("invalid")

/** The unit of a value. It becomes part of the property's name: `read_timeout` is `readTimeoutMs`. */
export type Unit = "" | "Ms" | "Bytes"

/** Parses one type of value. */
export interface ValueParser<T, U extends Unit = Unit> {
  readonly unit: U
  /** Describes the accepted values. It completes the text "expected …". */
  readonly expected: string
  /** `raw` is text from the environment or a flag, or any value from a file. Relative paths start at `dir`. */
  parse(raw: unknown, dir: string): T | typeof INVALID
  /** Says which part of a value that is not valid is wrong, and why. The path begins with `[` or `.`, or is empty. */
  explain?(raw: unknown): { readonly path: string; readonly why: string }
}

export const text: ValueParser<string, ""> = {
  unit: "",
  expected: "text (in quotes if it looks like a number)",
  parse: (raw) => (typeof raw === "string" && !raw.includes("\0") ? raw : INVALID),
}

/** Text that must not be empty, such as a host or a name. */
export const word: ValueParser<string, ""> = {
  unit: "",
  expected: "a name without spaces",
  parse: (raw) => (typeof raw === "string" && /^[^\s\0]+$/.test(raw) ? raw : INVALID),
}

export const yesOrNo: ValueParser<boolean, ""> = {
  unit: "",
  expected: "true or false",
  parse: (raw) => {
    if (typeof raw === "boolean") return raw
    const word = String(raw).trim().toLowerCase()
    if (["true", "yes", "on", "1"].includes(word)) return true
    return ["false", "no", "off", "0"].includes(word) ? false : INVALID
  },
}

export function wholeNumber(min: number, max: number): ValueParser<number, ""> {
  return {
    unit: "",
    expected: `a whole number from ${min} to ${max}`,
    parse: (raw) => {
      const value = typeof raw === "string" && /^\s*\d+\s*$/.test(raw) ? Number(raw) : raw
      return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max ? value : INVALID
    },
  }
}

export function oneOf<const T extends string>(...names: readonly T[]): ValueParser<T, ""> {
  return {
    unit: "",
    expected: names.length === 2 ? names.join(" or ") : `one of ${names.join(", ")}`,
    parse: (raw) => names.find((name) => name === raw) ?? INVALID,
  }
}

/** A value of either of two types, such as `workers: 4` or `workers: auto`. */
export function either<A, B>(one: ValueParser<A, "">, other: ValueParser<B, "">): ValueParser<A | B, ""> {
  return {
    unit: "",
    expected: `${one.expected}, or ${other.expected}`,
    parse: (raw, dir) => {
      const value = one.parse(raw, dir)
      return value === INVALID ? other.parse(raw, dir) : value
    },
  }
}

/** Several texts. A single text is split at commas, or parsed as a JSON list when it starts with `[`. */
export const list: ValueParser<readonly string[], ""> = {
  unit: "",
  expected: "a list of texts",
  parse: (raw) => {
    const items = typeof raw === "string" ? splitList(raw.trim()) : raw
    return Array.isArray(items) && items.every((item) => typeof item === "string" && item !== "") ? items : INVALID
  },
}

function splitList(text: string): unknown {
  return text.startsWith("[") ? parseJson(text) : text === "" ? [] : text.split(",").map((item) => item.trim())
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The region of a cloud, such as `us-central1`, `eu` or `global`. It becomes a part of a host name. */
export const regionName: ValueParser<string, ""> = {
  unit: "",
  expected: "the name of a region",
  parse: (raw) => (typeof raw === "string" && /^[a-z][a-z0-9-]{0,40}$/.test(raw) ? raw : INVALID),
}

/** The regions of a cloud. */
export const regionNames: ValueParser<readonly string[], ""> = {
  unit: "",
  expected: "a list of names of regions",
  parse(raw, dir) {
    const names = list.parse(raw, dir)
    return names !== INVALID && names.length > 0 && names.every((each) => regionName.parse(each, dir) === each)
      ? names
      : INVALID
  },
}

/** Texts by name, such as models by deployment. Names are in lower case then. Text is parsed as JSON. */
export const nameTable: ValueParser<Readonly<Record<string, string>>, ""> = {
  unit: "",
  expected: "names of models by name, such as { my-deployment: gpt-5 }",
  parse: (raw) => {
    const table = typeof raw === "string" ? parseJson(raw) : raw
    if (!isRecord(table)) return INVALID
    const entries = Object.entries(table)
    if (!entries.every(([name, model]) => name !== "" && typeof model === "string" && model !== "")) return INVALID
    return Object.fromEntries(entries.map(([name, model]) => [name.toLowerCase(), model as string]))
  },
}

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
/** Node's timers hold 31 bits. A longer timer would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

export const duration: ValueParser<number, "Ms"> = {
  unit: "Ms",
  expected: "a duration from 1ms to 24d, such as 250ms, 30s, 5m or 1h30m",
  parse: (raw) => {
    if (typeof raw !== "string" || !/^\s*(\d+(\.\d+)?(ms|s|m|h|d))+\s*$/.test(raw)) return INVALID
    let sum = 0
    for (const [, count, unit] of raw.matchAll(/([\d.]+)(ms|[smhd])/g))
      sum += Number(count) * MS[unit as keyof typeof MS]
    const ms = Math.round(sum)
    return ms >= 1 && ms <= MAX_TIMER_MS ? ms : INVALID
  },
}

/** A duration, or `never`, which is undefined. */
export const durationOrNever: ValueParser<number | undefined, "Ms"> = {
  unit: "Ms",
  expected: `\`never\`, or ${duration.expected}`,
  parse: (raw, dir) => (raw === "never" ? undefined : duration.parse(raw, dir)),
}

const AGE_MS: Readonly<Record<string, number>> = createTable({ d: MS.d, w: 7 * MS.d, y: 365 * MS.d })

/** Parses an age such as `90d`, `12w` or `1y` to milliseconds. Returns undefined for anything else. */
export function parseAge(text: string): number | undefined {
  const [, count, unit = ""] = /^\s*([1-9]\d{0,4})\s*([dwy])\s*$/.exec(text) ?? []
  return count === undefined ? undefined : Number(count) * AGE_MS[unit]!
}

/** How long something is kept. Undefined means forever. */
export const age: ValueParser<number | undefined, "Ms"> = {
  unit: "Ms",
  expected: "`keep`, or an age such as 90d, 12w or 1y",
  parse: (raw) => (raw === "keep" || raw === "" ? undefined : (parseAge(String(raw)) ?? INVALID)),
}

const BYTES: Readonly<Record<string, number>> = createTable({
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
})

export const size: ValueParser<number, "Bytes"> = {
  unit: "Bytes",
  expected: "a number of bytes, or a size such as 64KiB, 10MB or 1GiB",
  parse: (raw) => {
    const [, count, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(String(raw)) ?? []
    const factor = BYTES[(unit ?? "?").toLowerCase()]
    if (factor === undefined) return INVALID
    const bytes = Math.round(Number(count) * factor)
    return bytes >= 1 && Number.isSafeInteger(bytes) ? bytes : INVALID
  },
}

/** The absolute path of a file or directory. `~` stands for the home directory. */
export const path: ValueParser<string, ""> = {
  unit: "",
  expected: "a path",
  parse: (raw, dir) => {
    if (typeof raw !== "string" || raw.trim() === "" || raw.includes("\0")) return INVALID
    if (raw === "~" || /^~[\\/]/.test(raw)) return join(findHomeDirectory(), raw.slice(1))
    return isAbsolute(raw) ? raw : resolve(dir, raw)
  },
}

/** An http or https URL without query, fragment or credentials. A trailing slash is removed. */
export const webAddress: ValueParser<string, ""> = {
  unit: "",
  expected: "an http:// or https:// address without credentials, query or fragment",
  parse: (raw) => {
    if (typeof raw !== "string" || !URL.canParse(raw) || /[?#\s]/.test(raw)) return INVALID
    const url = new URL(raw)
    if (!/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") return INVALID
    return `${url.origin}${url.pathname}`.replace(/\/+$/, "")
  },
}

/** The address of an HTTP proxy. Without a scheme it is `http://`, as in curl. */
export const proxyAddress: ValueParser<string, ""> = {
  unit: "",
  expected: "the http:// or https:// address of a proxy, such as http://user:password@proxy:3128",
  parse: (raw) => {
    if (typeof raw !== "string" || /\s/.test(raw)) return INVALID
    const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(raw) ? raw : `http://${raw}`
    if (!URL.canParse(text)) return INVALID
    const { protocol, username, password, hostname, pathname, search, hash, href } = new URL(text)
    if (!/^https?:$/.test(protocol) || hostname === "" || pathname + search + hash !== "/") return INVALID
    return isEncoded(username + password) ? href : INVALID
  },
}

function isEncoded(text: string): boolean {
  try {
    return decodeURIComponent(text) !== undefined
  } catch {
    return false
  }
}

export const postgresAddress: ValueParser<string, ""> = {
  unit: "",
  expected: "a connection string such as postgres://user:password@host:5432/database",
  parse: (raw) => (typeof raw === "string" && /^postgres(ql)?:\/\/\S*$/.test(raw) ? raw : INVALID),
}

/** A value of another parser, or empty text for no value. */
export function orNothing<U extends Unit>(parser: ValueParser<string, U>): ValueParser<string | undefined, U> {
  return { ...parser, parse: (raw, dir) => (raw === "" ? undefined : parser.parse(raw, dir)) }
}
