import { FileError } from "./file-error.ts"

const GZIP = [0x1f, 0x8b]
/** What other kinds of files begin with. */
const OTHER_FILES: readonly (readonly [start: string, advice: string])[] = [
  ["PK\x03\x04", "The file is a ZIP archive or an Excel workbook. Unpack it, or save the sheet as CSV."],
  ["PAR1", "The file is a Parquet file. Export the report as CSV."],
  ["%PDF", "The file is a PDF. Download the bill as CSV."],
  ["\xd0\xcf\x11\xe0", "The file is an old Excel workbook. Save the sheet as CSV."],
]

/**
 * Decodes a file piece by piece: UTF-8 and UTF-16, with or without a byte order mark, plain or compressed with gzip.
 * @throws FileError if the file is of another kind, or if its compression is damaged
 */
export async function* decodeFile(source: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const { start, bytes } = await readStart(source)
  if (start.length >= 2 && GZIP.every((byte, at) => start[at] === byte)) {
    yield* decodeText(await readStart(decompress(bytes)))
  } else {
    yield* decodeText({ start, bytes })
  }
}

interface Started {
  /** The first four bytes, or all of a shorter file. */
  readonly start: Uint8Array
  /** The whole file, which begins with `start`. */
  readonly bytes: AsyncIterable<Uint8Array>
}

async function readStart(source: AsyncIterable<Uint8Array>): Promise<Started> {
  const rest = source[Symbol.asyncIterator]()
  let start = new Uint8Array(0)
  while (start.length < 4) {
    const { done, value } = await rest.next()
    if (done) break
    const longer = new Uint8Array(start.length + value.length)
    longer.set(start)
    longer.set(value, start.length)
    start = longer
  }
  return { start: start.subarray(0, 4), bytes: chain(start, rest) }
}

async function* chain(start: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield start
    for (;;) {
      const { done, value } = await rest.next()
      if (done) return
      yield value
    }
  } finally {
    await rest.return?.()
  }
}

async function* decompress(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = ReadableStream.from(bytes) as ReadableStream<Uint8Array<ArrayBuffer>>
  try {
    yield* source.pipeThrough(new DecompressionStream("gzip"))
  } catch (error) {
    if (!String((error as { readonly code?: unknown }).code).startsWith("Z_")) throw error
    throw new FileError("The gzip compression of the file is damaged, or the file is not complete. Export it again.")
  }
}

async function* decodeText({ start, bytes }: Started): AsyncGenerator<string> {
  const text = String.fromCharCode(...start)
  for (const [magic, advice] of OTHER_FILES) if (text.startsWith(magic)) throw new FileError(advice)
  const decoder = new TextDecoder(findEncoding(start))
  for await (const piece of bytes) yield decoder.decode(piece, { stream: true })
  yield decoder.decode()
}

/** A byte order mark decides. Without one, a zero byte next to an ASCII character means UTF-16. */
function findEncoding(start: Uint8Array): "utf-8" | "utf-16le" | "utf-16be" {
  const [first, second] = start
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0)) return "utf-16le"
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== 0)) return "utf-16be"
  return "utf-8"
}
