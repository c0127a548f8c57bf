import { createHash } from "node:crypto"
import { gunzipSync } from "node:zlib"
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from "hyparquet"
import { type ArchiveColumn, listArchiveColumns } from "../core/archive-row.ts"
import { decodeRow, toArchiveRow, toRawSchema } from "./layout.ts"
import { addRow, createSums, type SumUnits } from "./sums.ts"
import { addContent } from "./write-file.ts"

/** Bytes at a place that can be read in any order. */
export interface StoredBytes {
  readonly byteLength: number
  /** Returns the bytes from `start` to before `end`. */
  read(start: number, end: number): Promise<Buffer>
}

interface ReadFile {
  readonly rows: number
  readonly sums: SumUnits
  /** The digest of the values of all rows, as `createFile` computes it. */
  readonly content: string
}

/** Reads a whole Parquet file of the archive, one row group at a time. @throws an error if it cannot be decoded */
export async function readFile(stored: StoredBytes): Promise<ReadFile> {
  const file: AsyncBuffer = {
    byteLength: stored.byteLength,
    slice: async (start, end = stored.byteLength) => {
      const from = start < 0 ? stored.byteLength + start : start
      const bytes = await stored.read(from, end)
      return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer
    },
  }
  const metadata = await parquetMetadataAsync(file)
  const raw = { ...metadata, schema: toRawSchema(metadata.schema) }
  const columns = findColumns(metadata)
  const content = createHash("sha256")
  const sums = createSums()
  let rowStart = 0
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows)
    const compressors = { GZIP: (input: Uint8Array) => gunzipSync(input) }
    for (const row of await parquetReadObjects({ file, metadata: raw, rowStart, rowEnd, compressors })) {
      const values = decodeRow(columns, row)
      addContent(content, values)
      addRow(sums, toArchiveRow(columns, values))
    }
    rowStart = rowEnd
  }
  return { rows: rowStart, sums, content: content.digest("hex") }
}

/** Returns the columns of a file. A file that an earlier version wrote may lack some. */
function findColumns({ schema }: FileMetaData): readonly ArchiveColumn[] {
  const names = new Set(schema.map(({ name }) => name))
  return listArchiveColumns({ bodies: true }).filter(({ name }) => names.has(name))
}

const PIECE_BYTES = 8 << 20

/** Returns the SHA-256 of stored bytes, in hexadecimal. It reads all of them, a piece at a time. */
export async function digest({ byteLength, read }: StoredBytes): Promise<string> {
  const sha256 = createHash("sha256")
  for (let at = 0; at < byteLength; at += PIECE_BYTES) {
    sha256.update(await read(at, Math.min(at + PIECE_BYTES, byteLength)))
  }
  return sha256.digest("hex")
}
