/** A directory or file of a cluster. The path uses forward slashes. */
export type TarEntry =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "file"; readonly path: string; readonly data: Buffer }

/** The size of a block of an archive, in bytes. */
export const BLOCK = 512

/** Builds a ustar archive. Paths must be short. Owners and times are zero, so that the archive is reproducible. */
export function toTar(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap((entry) => {
    const data = entry.kind === "file" ? entry.data : Buffer.alloc(0)
    return [toHeader(entry, data.length), data, Buffer.alloc(-data.length & (BLOCK - 1))]
  })
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)])
}

/** Returns the 512 bytes that stand before the content of an entry. */
export function toHeader(entry: Pick<TarEntry, "kind" | "path">, size: number): Buffer {
  const header = Buffer.alloc(BLOCK)
  if (Buffer.byteLength(entry.path) > 99) throw new RangeError(`path too long for the archive: ${entry.path}`)
  header.write(entry.path, 0)
  header.write(entry.kind === "file" ? "0000600" : "0000700", 100)
  header.write("0000000", 108)
  header.write("0000000", 116)
  header.write(size.toString(8).padStart(11, "0"), 124)
  header.write("00000000000", 136)
  header.write("        ", 148)
  header.write(entry.kind === "file" ? "0" : "5", 156)
  header.write("ustar\x0000", 257, "latin1")
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148)
  return header
}

/** Yields the entries of an archive made by `toTar`, in order. Throws when it is truncated or was not made by it. */
export function* parseTar(archive: Buffer): Generator<TarEntry> {
  for (let at = 0; ; ) {
    if (at + BLOCK > archive.length) throw new RangeError("the seed archive is truncated")
    if (archive[at] === 0) return
    const path = archive.toString("utf8", at, archive.indexOf(0, at))
    const size = Number.parseInt(archive.toString("latin1", at + 124, at + 135), 8)
    if (path.startsWith("/") || path.split("/").includes("..")) throw new RangeError("the seed archive is damaged")
    const start = at + BLOCK
    if (!(start + size <= archive.length)) throw new RangeError("the seed archive is truncated")
    if (archive[at + 156] === 0x35) yield { kind: "directory", path }
    else yield { kind: "file", path, data: archive.subarray(start, start + size) }
    at = start + Math.ceil(size / BLOCK) * BLOCK
  }
}
