import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { brotliCompress, constants } from "node:zlib"

/** The cache of compressed files. Compressing all of them takes half a minute and always gives the same result. */
const CACHE = "node_modules/.cache/majordomo-gateway/brotli"

export const brotliFile = (file: string): Promise<Buffer> => brotli(readFileSync(file))

/** Compresses with brotli's highest quality. */
export async function brotli(bytes: Uint8Array): Promise<Buffer> {
  const cached = join(CACHE, createHash("sha256").update(bytes).digest("hex"))
  if (existsSync(cached)) return readFileSync(cached)
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  }
  const packed = await promisify(brotliCompress)(bytes, { params })
  mkdirSync(CACHE, { recursive: true })
  writeFileSync(`${cached}.${process.pid}`, packed)
  renameSync(`${cached}.${process.pid}`, cached)
  return packed
}
