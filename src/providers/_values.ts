import { MAX_COUNT } from "../core/usage.ts"

/**
 * Readers of foreign JSON. They never throw and trust nothing: a value that is not of the wanted kind is undefined.
 */
export type JsonObject = Readonly<Record<string, unknown>>

/** Returns the value if it is an object and no list. */
export function objectOf(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
}

/** Returns the value if it is a list, or else an empty one. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** Returns a non-empty text, truncated to 256 characters. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value.length > 0 ? value.slice(0, 256) : undefined
}

/** Returns the name of a model without `models/`, which Gemini's API writes before some of its names. */
export function modelNameOf(value: unknown): string | undefined {
  const name = textOf(value)
  return name?.startsWith("models/") ? name.slice("models/".length) || undefined : name
}

/** Returns a number of tokens or calls: whole and not negative. undefined: not stated. */
export function countOf(value: unknown): number | undefined {
  if (typeof value === "number") return value >= 0 && value <= MAX_COUNT ? Math.floor(value) : clamped(value)
  return typeof value === "string" && /^\d{1,99}$/.test(value) ? Math.min(Number(value), MAX_COUNT) : undefined
}

function clamped(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value < 0 ? 0 : MAX_COUNT
}

/** Returns the first of the values that is a count. */
export function firstCount(...values: readonly unknown[]): number | undefined {
  for (const value of values) {
    const count = countOf(value)
    if (count !== undefined) return count
  }
  return undefined
}

/** Returns true for a number that cannot count anything: it is negative or not finite. */
export function isImpossible(value: unknown): boolean {
  return typeof value === "number" && (value < 0 || !Number.isFinite(value))
}

/** Returns true for a number of tokens that is stated, and is not a whole number. */
export function isNoCount(value: unknown): boolean {
  if (value === undefined || value === null) return false
  return typeof value === "number" ? Number.isFinite(value) && !Number.isInteger(value) : countOf(value) === undefined
}

/** Removes members of an object, in place. */
export function removeMembers(object: JsonObject, names: readonly string[]): void {
  for (const name of names) if (object[name] !== undefined) delete (object as Record<string, unknown>)[name]
}

/** Returns decimal text without exponent and without trailing zeros after the point. */
export function plainDecimal(text: string): string {
  const plain = withoutExponent(text)
  return plain.includes(".") ? plain.replace(/\.?0+$/, "") : plain
}

function withoutExponent(text: string): string {
  const [mantissa = "", exponent] = text.split("e")
  if (exponent === undefined) return mantissa
  const [whole = "", fraction = ""] = mantissa.split(".")
  const digits = whole + fraction
  const point = whole.length + Number(exponent)
  if (point <= 0) return `0.${"0".repeat(-point)}${digits}`
  if (point >= digits.length) return digits + "0".repeat(point - digits.length)
  return `${digits.slice(0, point)}.${digits.slice(point)}`
}

/** Returns the same bytes as a Buffer, whose searches are native. */
export function bytesOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
