import { BLOCK } from "../seed/tar.ts"

/** An entry of an archive that is read piece by piece. `content` must be read before the next entry. */
export interface StreamedEntry {
  readonly kind: "directory" | "file"
  readonly path: string
  readonly size: number
  readonly content: AsyncIterable<Buffer>
}

/** Relative, without `..` and without names that a terminal or a shell could read in another way. */
const SAFE_PATH = /^[\w-][\w.-]*(\/[\w-][\w.-]*)*\/?$/

/** The archive is truncated, or contains something that no backup contains. */
export class DamagedArchiveError extends Error {}

/**
 * Yields the entries of a ustar archive, in order, in constant memory.
 *
 * @throws DamagedArchiveError if the archive ends early, or has an entry that is no plain file or directory
 */
export async function* readTar(source: AsyncIterable<Buffer>): AsyncGenerator<StreamedEntry> {
  const reader = createReader(source)
  for (;;) {
    const header = Buffer.concat(await collect(reader.take(BLOCK)))
    if (header[0] === 0) return reader.skipRest()
    const { path, kind, size } = parseHeader(header)
    let unread = size
    const content = (async function* () {
      for await (const piece of reader.take(size)) {
        unread -= piece.length
        yield piece
      }
    })()
    yield { kind, path, size, content }
    if (unread > 0) throw new Error(`the content of ${path} was not read`)
    await collect(reader.take(-size & (BLOCK - 1)))
  }
}

function parseHeader(header: Buffer): Pick<StreamedEntry, "kind" | "path" | "size"> {
  const path = header.toString("utf8", 0, header.indexOf(0))
  const size = Number.parseInt(header.toString("latin1", 124, 135), 8)
  const type = String.fromCharCode(header[156]!)
  if (!SAFE_PATH.test(path) || !Number.isSafeInteger(size) || size < 0 || (type !== "0" && type !== "5")) {
    throw new DamagedArchiveError("it has an entry that no backup has")
  }
  return { path, size, kind: type === "5" ? "directory" : "file" }
}

function createReader(source: AsyncIterable<Buffer>) {
  const pieces = source[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  /** Yields exactly `size` bytes. */
  async function* take(size: number): AsyncGenerator<Buffer> {
    for (let left = size; left > 0; ) {
      if (rest.length === 0) {
        const next = await pieces.next()
        if (next.done) throw new DamagedArchiveError("it ends too early")
        rest = next.value
      }
      const piece = rest.subarray(0, left)
      rest = rest.subarray(piece.length)
      left -= piece.length
      yield piece
    }
  }
  /** Reads to the end, so that the decompressor compares its checksum. */
  async function skipRest(): Promise<void> {
    while (!(await pieces.next()).done);
  }
  return { take, skipRest }
}

async function collect(pieces: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const all: Buffer[] = []
  for await (const piece of pieces) all.push(piece)
  return all
}
