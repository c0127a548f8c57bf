import { createHash, type Hash } from "node:crypto"
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs"
import { gzipSync } from "node:zlib"
import { ByteWriter, ParquetWriter } from "hyparquet-writer"
import type { ArchiveColumn, ArchiveRow } from "../core/archive-row.ts"
import { encodeRow, toParquetSchema } from "./layout.ts"
import { addRow, createSums, type SumUnits } from "./sums.ts"

/** A row group is in memory as a whole, so it ends at the first of both. */
const MAX_GROUP_ROWS = 20_000
const MAX_GROUP_BYTES = 32 << 20
/** Written to the disk when so much has collected. */
const BUFFER_BYTES = 1 << 20
/** Level 6 takes twice the time for files that are 2 % smaller. */
const GZIP = { level: 4 }

export interface WrittenFile {
  readonly rows: number
  readonly bytes: number
  readonly sums: SumUnits
  /** The digest of the values of all rows, in their order. It does not depend on the format of the file. */
  readonly content: string
  /** SHA-256 of the file, in hexadecimal. */
  readonly sha256: string
}

interface FileWriter {
  add(row: ArchiveRow): void
  /** Writes the rest and syncs the file to the disk. */
  finish(): WrittenFile
  /** Closes the file after an error. */
  abort(): void
}

/** Creates a Parquet file. Rows are written in groups, so memory does not grow with their number. */
export function createFile(path: string, columns: readonly ArchiveColumn[], day: string): FileWriter {
  const file = openSync(path, "wx", 0o600)
  const sha256 = createHash("sha256")
  const writer = createDiskWriter(file, sha256)
  const parquet = new ParquetWriter({
    writer,
    schema: toParquetSchema(columns),
    codec: "GZIP",
    compressors: { GZIP: (input) => gzipSync(input, GZIP) },
    createdBy: "majordomo-gateway",
    kvMetadata: [{ key: "majordomo.day", value: day }],
  })
  const content = createHash("sha256")
  const sums = createSums()
  let group: ReturnType<typeof encodeRow>[] = []
  let groupBytes = 0
  let rows = 0

  function flush(): void {
    if (group.length === 0) return
    const columnData = columns.map(({ name }, n) => ({ name, data: group.map((values) => values[n]) }))
    void parquet.write({ columnData, rowGroupSize: group.length })
    group = []
    groupBytes = 0
  }

  return {
    add(row) {
      const values = encodeRow(columns, row)
      addContent(content, values)
      addRow(sums, row)
      group.push(values)
      groupBytes += estimateBytes(values)
      rows++
      if (group.length >= MAX_GROUP_ROWS || groupBytes >= MAX_GROUP_BYTES) flush()
    },
    finish() {
      flush()
      void parquet.finish()
      fsyncSync(file)
      closeSync(file)
      return { rows, bytes: writer.offset, sums, content: content.digest("hex"), sha256: sha256.digest("hex") }
    },
    abort: () => closeSync(file),
  }
}

/** Adds the values of a row to the digest of the content. Writing and reading back must agree on it. */
export function addContent(content: Hash, values: readonly unknown[]): void {
  content.update(JSON.stringify(values, (_, value) => (typeof value === "bigint" ? String(value) : value)))
}

function estimateBytes(values: readonly unknown[]): number {
  return values.reduce<number>((sum, value) => sum + (typeof value === "string" ? value.length : 8), 0)
}

/** A writer of the library that keeps at most a page in memory. */
function createDiskWriter(file: number, sha256: Hash): ByteWriter {
  const writer = new ByteWriter(BUFFER_BYTES)
  const grow = writer.ensure.bind(writer)
  function save(): void {
    const bytes = new Uint8Array(writer.buffer, 0, writer.index)
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
    sha256.update(bytes)
    writer.index = 0
  }
  writer.ensure = (size) => {
    if (writer.index >= BUFFER_BYTES) save()
    grow(size)
  }
  writer.finish = save
  return writer
}
