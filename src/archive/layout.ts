import type { SchemaElement } from "hyparquet"
import { type ArchiveColumn, type ArchiveRow, COST_DIGITS } from "../core/archive-row.ts"
import { toUnits } from "./sums.ts"

/** Digits of an amount, and the bytes that hold them: `numeric(20,12)`. */
const COST_PRECISION = 20
const COST_BYTES = 9

type Value = string | number | bigint | boolean | null

/** How a type of the database is stored in Parquet, and read back. */
interface Storage {
  readonly element: Omit<SchemaElement, "name" | "repetition_type">
  /** Returns what is stored of a value of the database. */
  encode(value: string | number | boolean): Exclude<Value, null>
  /** Returns the same for a value that was read without its logical type. */
  decode(value: unknown): Exclude<Value, null>
}

const asIs = (value: unknown) => value as string | number | bigint | boolean
const TEXT: Storage = {
  element: { type: "BYTE_ARRAY", converted_type: "UTF8", logical_type: { type: "STRING" } },
  encode: asIs,
  decode: asIs,
}
const toBigInt = (value: unknown) => BigInt(value as string | number)

/**
 * UUIDs are text, because Spark and BigQuery do not read Parquet's own type of UUIDs. JSON is text, because engines that know
 * Parquet's JSON type differ in what they make of it.
 */
const STORAGES: Readonly<Record<ArchiveColumn["sql"], Storage>> = {
  text: TEXT,
  uuid: TEXT,
  jsonb: TEXT,
  boolean: { element: { type: "BOOLEAN" }, encode: asIs, decode: asIs },
  integer: { element: { type: "INT32" }, encode: asIs, decode: asIs },
  bigint: { element: { type: "INT64" }, encode: toBigInt, decode: toBigInt },
  timestamptz: {
    element: {
      type: "INT64",
      converted_type: "TIMESTAMP_MICROS",
      logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MICROS" },
    },
    encode: toBigInt,
    decode: toBigInt,
  },
  numeric: {
    element: {
      type: "FIXED_LEN_BYTE_ARRAY",
      type_length: COST_BYTES,
      converted_type: "DECIMAL",
      precision: COST_PRECISION,
      scale: COST_DIGITS,
      logical_type: { type: "DECIMAL", precision: COST_PRECISION, scale: COST_DIGITS },
    },
    encode: (value) => toUnits(String(value)),
    decode: (value) => fromBytes(value as Uint8Array),
  },
}

/** Reads a signed number, the highest byte first. */
function fromBytes(bytes: Uint8Array): bigint {
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString("hex")}`))
}

/** Returns the schema of a file. */
export function toParquetSchema(columns: readonly ArchiveColumn[]): SchemaElement[] {
  const elements = columns.map(({ name, sql, isRequired }): SchemaElement => {
    return { name, ...STORAGES[sql].element, repetition_type: isRequired ? "REQUIRED" : "OPTIONAL" }
  })
  return [{ name: "requests", num_children: columns.length }, ...elements]
}

/**
 * Returns the schema for reading a file back. Amounts and times lose their logical types, because the reader would make
 * floats and milliseconds of them.
 */
export function toRawSchema(schema: readonly SchemaElement[]): SchemaElement[] {
  return schema.map((element) => {
    if (element.type === "BYTE_ARRAY" || element.type === undefined) return element
    const { converted_type: _, logical_type: __, ...rest } = element
    return rest
  })
}

export function encodeRow(columns: readonly ArchiveColumn[], row: ArchiveRow): Value[] {
  return columns.map(({ name, sql }) => {
    const value = row[name]
    return value === null || value === undefined ? null : STORAGES[sql].encode(value)
  })
}

export function decodeRow(columns: readonly ArchiveColumn[], row: Readonly<Record<string, unknown>>): Value[] {
  return columns.map(({ name, sql }) => {
    const value = row[name]
    return value === null || value === undefined ? null : STORAGES[sql].decode(value)
  })
}

/** Returns a row of the file as the database would give it, for sums. */
export function toArchiveRow(columns: readonly ArchiveColumn[], values: readonly Value[]): ArchiveRow {
  return Object.fromEntries(columns.map(({ name, sql }, n) => [name, toText(values[n]!, sql)]))
}

function toText(value: Value, sql: ArchiveColumn["sql"]): string | number | boolean | null {
  if (typeof value !== "bigint") return value
  if (sql !== "numeric") return String(value)
  const digits = (value < 0n ? -value : value).toString().padStart(COST_DIGITS + 1, "0")
  return `${value < 0n ? "-" : ""}${digits.slice(0, -COST_DIGITS)}.${digits.slice(-COST_DIGITS)}`
}
