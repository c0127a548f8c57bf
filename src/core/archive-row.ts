import { type ColumnName, ROW_COLUMNS, type RowColumn } from "./row-columns.ts"

/**
 * A row of the archive as the database gives it: whole numbers of 64 bits, amounts, UUIDs and JSON as text, times in
 * microseconds since the epoch as text.
 */
export type ArchiveRow = Readonly<Record<string, string | number | boolean | null>>

export interface ArchiveColumn {
  readonly name: ColumnName
  readonly sql: RowColumn["sql"]
  readonly isRequired: boolean
}

/** `indexed_metadata` is a part of `raw_metadata` that changes when a name is activated, so the archive has only the latter. */
const LEFT_OUT: readonly ColumnName[] = ["indexed_metadata"]
const BODIES: readonly ColumnName[] = ["request_body", "response_body"]

/** Returns the columns of the archive, in the order of a row. The bodies are the last but one part of it if they are wanted. */
export function listArchiveColumns({ bodies }: { readonly bodies: boolean }): readonly ArchiveColumn[] {
  return (Object.entries(ROW_COLUMNS) as [ColumnName, RowColumn][])
    .filter(([name]) => !LEFT_OUT.includes(name) && (bodies || !BODIES.includes(name)))
    .map(([name, { sql, isRequired }]) => ({ name, sql, isRequired: isRequired ?? false }))
}

/** Digits after the point of an amount: `numeric(20,12)`. */
export const COST_DIGITS = 12

/** The tokens of a request, as its columns have them. */
export const TOKEN_NAMES = [
  "input_tokens",
  "cached_tokens",
  "cache_creation_tokens",
  "cache_creation_1h_tokens",
  "output_tokens",
  "reasoning_tokens",
] as const

/** Counters of the rollups that the files are compared with: whole numbers. */
const COUNTS = ["requests", ...TOKEN_NAMES, "without_cost", "unpriced", "subscription_requests"] as const
/** Those in USD. */
const AMOUNTS = ["input_cost", "output_cost", "total_cost", "subscription_value"] as const

export const SUM_NAMES = [...COUNTS, ...AMOUNTS] as const
export type SumName = (typeof SUM_NAMES)[number]

/** Sums by the names of the counters, as plain decimals. */
export type Sums = Readonly<Record<SumName, string>>

/** A position in the order of a day: the end of the request in microseconds since the epoch, then its id. */
export interface RowPosition {
  readonly at: string
  readonly id: string
}

/** A file of the archive, as `llm_archive_days.files` describes it. */
export interface ArchiveFile {
  /** `part-00000.parquet`, or `late-00001.parquet` for requests that came after the parts. */
  readonly name: string
  readonly rows: number
  readonly bytes: number
  /** SHA-256 of the file, in hexadecimal. */
  readonly sha256: string
  readonly sums: Sums
  /** The last row of a part. `null`: the part reaches to the end of its day. */
  readonly to?: RowPosition | null
  /** Its requests have changed since, so it is written again. */
  readonly stale?: true
}

/** `llm_archive_days.status`; migration 0030 says what each means. */
export type ArchiveStatus = "writing" | "verified" | "late" | "changed" | "failed"
