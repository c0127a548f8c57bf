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
import { withFixedChance } from "./fixed-chance.ts"
import { type TarEntry, toTar } from "./tar.ts"

/** The cache of archives, by version. initdb takes seconds and always gives the same result. */
const CACHE = "node_modules/.cache/majordomo-gateway"
/** The version of `makeSeed`. Raise it when `makeSeed` changes. */
const RECIPE = 3

/** Build step: writes the seed archive to `file`. Makes the archive first if the cache has none for this PGlite. */
export async function ensureSeed(file: string): Promise<void> {
  const { version } = JSON.parse(readFileSync("node_modules/@electric-sql/pglite/package.json", "utf8")) as {
    version: string
  }
  const cached = join(CACHE, `seed-${version}-${RECIPE}.tar.br`)
  mkdirSync(CACHE, { recursive: true })
  if (!existsSync(cached)) {
    const draft = `${cached}.${process.pid}`
    writeFileSync(draft, compress(await makeSeed()))
    renameSync(draft, cached)
  }
  mkdirSync(dirname(file), { recursive: true })
  copyFileSync(cached, file)
}

/**
 * Returns the archive of an empty cluster, always the same bytes. A first start from it takes 1 s; initdb would take
 * several.
 */
export function makeSeed(): Promise<Buffer> {
  return withFixedChance(makeArchive)
}

async function makeArchive(): Promise<Buffer> {
  const directory = mkdtempSync(join(tmpdir(), "majordomo-seed-"))
  try {
    const database = await PGlite.create({ fs: new NodeFS(directory) })
    // The templates are two thirds of all files. No database is ever created from them, and nothing would vacuum them.
    for (const name of ["template0", "template1"]) {
      await database.exec(`UPDATE pg_database SET datistemplate = false WHERE datname = '${name}'`)
      await database.exec(`DROP DATABASE ${name}`)
    }
    await database.exec("VACUUM (FREEZE, ANALYZE)")
    await database.exec("CHECKPOINT")
    await database.close()
    return toTar(readTree(directory))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Compresses with a window over the whole archive, because its files are alike: 1.0 MB instead of gzip's 2.6 MB. */
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
      // These are caches that the backend rebuilds, and the marks of a running server.
      if (/^(?:pg_internal\.init|postmaster\.(?:pid|opts))$/.test(entry.name)) return []
      return [{ kind: "file", path, data: readFileSync(join(root, path)) }]
    })
}
