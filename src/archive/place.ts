import type { StoredBytes } from "./read-file.ts"

/** A file at a place. Its name is relative to the place: `requests/date=2026-11-28/part-00000.parquet`. */
interface ListedFile {
  readonly name: string
  readonly bytes: number
}

/** Where the files of an archive are: a directory, or a bucket of S3 with a prefix. */
export interface Place {
  /** `/srv/archive` or `s3://bucket/prefix`. */
  readonly title: string
  /** Returns the path of a file that can be written before it is published. */
  newDraft(): string
  /** Moves a draft to its name, where it replaces a file at once: readers see the old file or the new one. */
  publish(draft: string, name: string): Promise<void>
  /** Opens a file; undefined if there is none. */
  open(name: string): Promise<(StoredBytes & { close(): Promise<void> }) | undefined>
  list(folder: string): Promise<readonly ListedFile[]>
  remove(name: string): Promise<void>
  /** Returns a small file; undefined if there is none. */
  readText(name: string): Promise<string | undefined>
  writeText(name: string, text: string): Promise<void>
  /** Removes what killed processes left: drafts, and uploads that did not end. */
  cleanUp(): Promise<void>
  close(): void
}

/** Returns the folder of a day. The name is understood by DuckDB, ClickHouse, Spark, Athena and BigQuery (Hive partitioning). */
export function toFolder(day: string): string {
  return `requests/date=${day}`
}

/** Returns the name of the n-th file of a day. */
export function toFileName(kind: "part" | "late", n: number): string {
  return `${kind}-${String(n).padStart(5, "0")}.parquet`
}

/** Whether a file in the folder of a day is one of ours. */
export function isOurs(name: string): boolean {
  return /^(?:part|late)-\d{5}\.parquet$/.test(name)
}
