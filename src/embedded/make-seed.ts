import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { brotliCompressSync, constants } from "node:zlib"
import { PGlite } from "@electric-sql/pglite"
import { NodeFS } from "@electric-sql/pglite/nodefs"
import { type TarEntry, toTar } from "./tar.ts"

/** Where the archive waits for the next build or test run; of a version, for initdb takes seconds and is always the same. */
const CACHE = "node_modules/.cache/majordomo-gateway"
/** Raise it when what `makeSeed` does changes. */
const RECIPE = 2

/** Build step: puts the seed archive at `file`, made first if it has not been made for this PGlite before. */
export async function ensureSeed(file: string): Promise<void> {
  const { version } = JSON.parse(readFileSync("node_modules/@electric-sql/pglite/package.json", "utf8")) as {
    version: string
  }
  const cached = join(CACHE, `seed-${version}-${RECIPE}.tar.br`)
  mkdirSync(CACHE, { recursive: true })
  if (!existsSync(cached)) {
    const draft = `${cached}.${process.pid}`
    await makeSeed(draft)
    renameSync(draft, cached)
  }
  mkdirSync(dirname(file), { recursive: true })
  copyFileSync(cached, file)
}

/** The archive of a bare cluster, as initdb makes it, from which a first start takes a second. */
async function makeSeed(file: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "majordomo-seed-"))
  try {
    const database = await PGlite.create({ fs: new NodeFS(directory) })
    // Nothing is ever created from the templates, and nothing would vacuum them: they go, two thirds of all files.
    for (const name of ["template0", "template1"]) {
      await database.exec(`UPDATE pg_database SET datistemplate = false WHERE datname = '${name}'`)
      await database.exec(`DROP DATABASE ${name}`)
    }
    await database.exec("VACUUM (FREEZE, ANALYZE)")
    await database.exec("CHECKPOINT")
    await database.close()
    writeFileSync(file, compress(toTar(readTree(directory))))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** A window over all of it, for its files are alike: 1.0 MB where gzip makes 2.6 MB. */
function compress(bytes: Buffer): Buffer {
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  }
  return brotliCompressSync(bytes, { params })
}

function readTree(root: string, under = ""): TarEntry[] {
  return readdirSync(join(root, under), { withFileTypes: true })
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((entry): TarEntry[] => {
      const path = under ? `${under}/${entry.name}` : entry.name
      if (entry.isDirectory()) return [{ kind: "directory", path }, ...readTree(root, path)]
      // Caches that the backend rebuilds, and the mark of a running one.
      if (/^(?:pg_internal\.init|postmaster\.(?:pid|opts))$/.test(entry.name)) return []
      return [{ kind: "file", path, data: readFileSync(join(root, path)) }]
    })
}
