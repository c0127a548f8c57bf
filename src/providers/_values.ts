import type { JsonObject } from "./_fold.ts"

/** Reads of foreign JSON that never throw and never trust: what is not of the kind asked for is undefined. */

/** Above this no count is real; sums of such counts stay exact. */
const MAX_COUNT = 2 ** 40

export function objectOf(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** A short non-empty text, cut at 256 characters. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value.length > 0 ? value.slice(0, 256) : undefined
}

/** A number of tokens or calls: whole and not negative. undefined: not said. */
export function countOf(value: unknown): number | undefined {
  if (typeof value === "number") return value >= 0 && value <= MAX_COUNT ? Math.floor(value) : clamped(value)
  return typeof value === "string" && /^\d{1,12}$/.test(value) ? Number(value) : undefined
}

function clamped(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value < 0 ? 0 : MAX_COUNT
}

/** The first of the values that is a count. */
export function firstCount(...values: readonly unknown[]): number | undefined {
  for (const value of values) {
    const count = countOf(value)
    if (count !== undefined) return count
  }
  return undefined
}

/** A number that is no count of anything: negative, or not finite. */
export function isImpossible(value: unknown): boolean {
  return typeof value === "number" && (value < 0 || !Number.isFinite(value))
}

/** A number as a plain decimal without exponent: `6e-8` is `0.00000006`. undefined: not a positive finite number. */
export function decimalOf(value: unknown): string | undefined {
  if (typeof value !== "number" || !(value > 0) || !Number.isFinite(value)) return undefined
  return plainDecimal(String(value))
}

/** Decimal text without exponent and without zeros that say nothing. */
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

/** The same bytes as a Buffer: its searches are native. */
export function bytesOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
