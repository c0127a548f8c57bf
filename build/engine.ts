import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { brotli } from "./brotli.ts"
import type { Licensed } from "./licenses.ts"

const PGLITE = "node_modules/@electric-sql/pglite/dist"

/**
 * The files in PGlite's archive that our clusters never open: files that only initdb reads (clusters come from the seed
 * archive), headers for building extensions, conversions of East Asian encodings, and replication.
 */
const UNUSED = [
  /\.bki$/,
  /\/share\/postgresql\/[^/]+\.(sql|txt|sample)$/,
  /\/pgxs\//,
  /\/pglite\/bin\//,
  /\/lib\/postgresql\/(utf8_and_(gb|euc|uhc|johab|sjis|big5)|euc_|.*_and_mic|libpqwalreceiver|pgoutput)/,
]

/** Writes PostgreSQL's program and its files, compressed, to the directory in which the worker expects them. */
export async function packEngine(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true })
  const [wasm, data] = await Promise.all([brotli(readFileSync(join(PGLITE, "pglite.wasm"))), brotli(readTrimmedData())])
  writeFileSync(join(directory, "pglite.wasm.br"), wasm)
  writeFileSync(join(directory, "pglite.data.br"), data)
}

/** Returns the licenses of what PGlite has compiled into its program. ICU's license is in PGlite's archive. */
export function engineLicenses(): Licensed[] {
  const { version } = JSON.parse(readFileSync(join(PGLITE, "../package.json"), "utf8")) as { version: string }
  const data = readFileSync(join(PGLITE, "pglite.data"))
  const { start, end } = listFiles(data).find(({ name }) => name === "/pglite/icu/LICENSE")!
  const postgresql = readFileSync(new URL("./postgresql-license.txt", import.meta.url), "utf8").trim()
  return [
    { name: "PostgreSQL", version: `in PGlite ${version}`, license: "PostgreSQL", text: postgresql },
    { name: "ICU", version: `in PGlite ${version}`, license: "Unicode-3.0", text: data.toString("utf8", start, end) },
    {
      name: "musl",
      version: `in PGlite ${version}`,
      license: "MIT",
      text: "Copyright (c) 2005-2020 Rich Felker, et al.",
    },
    {
      name: "Emscripten",
      version: `in PGlite ${version}`,
      license: "MIT",
      text: "Copyright (c) 2010-2014 Emscripten authors, see its AUTHORS file.",
    },
  ]
}

/**
 * Returns the archive with zeros in place of unused files, because the program has the position of each file built in.
 */
function readTrimmedData(): Buffer {
  const data = readFileSync(join(PGLITE, "pglite.data"))
  for (const { name, start, end } of listFiles(data)) {
    if (UNUSED.some((unused) => unused.test(name))) data.fill(0, start, end)
  }
  return data
}

function listFiles(data: Buffer): { readonly name: string; readonly start: number; readonly end: number }[] {
  const index = readFileSync(join(PGLITE, "pglite.js"), "utf8")
  const found = [...index.matchAll(/filename:"([^"]+)",start:([\d.e]+),end:([\d.e]+)/g)]
  const files = found.map(([, name = "", start, end]) => ({ name, start: Number(start), end: Number(end) }))
  if (files.at(-1)?.end !== data.length) throw new Error("pglite.js: its list of files does not match its archive")
  return files
}
