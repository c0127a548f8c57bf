import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { brotli } from "./brotli.ts"

const PGLITE = "node_modules/@electric-sql/pglite/dist"

/**
 * Files in PGlite's archive that our clusters never open: what only initdb reads (they come from the seed archive),
 * headers for building extensions, conversions of East Asian encodings, and replication.
 */
const UNUSED = [
  /\.bki$/,
  /\/share\/postgresql\/[^/]+\.(sql|txt|sample)$/,
  /\/pgxs\//,
  /\/pglite\/bin\//,
  /\/lib\/postgresql\/(utf8_and_(gb|euc|uhc|johab|sjis|big5)|euc_|.*_and_mic|libpqwalreceiver|pgoutput)/,
]

/** Writes PostgreSQL's program and its files, compressed, where the worker looks for them. */
export async function packEngine(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true })
  const [wasm, data] = await Promise.all([brotli(readFileSync(join(PGLITE, "pglite.wasm"))), brotli(trimmedData())])
  writeFileSync(join(directory, "pglite.wasm.br"), wasm)
  writeFileSync(join(directory, "pglite.data.br"), data)
}

/** The program knows where each file lies in the archive, so what is unused is not cut out but made zeros. */
function trimmedData(): Buffer {
  const data = readFileSync(join(PGLITE, "pglite.data"))
  const index = readFileSync(join(PGLITE, "pglite.js"), "utf8")
  const files = [...index.matchAll(/filename:"([^"]+)",start:([\d.e]+),end:([\d.e]+)/g)]
  if (Number(files.at(-1)?.[3]) !== data.length)
    throw new Error("pglite.js: its list of files does not fit its archive")
  for (const [, name = "", start, end] of files) {
    if (UNUSED.some((unused) => unused.test(name))) data.fill(0, Number(start), Number(end))
  }
  return data
}
