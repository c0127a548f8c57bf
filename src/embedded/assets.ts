import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

/** Where the worker and the seed are in the package, and where a run from the sources puts its own. */
const PLACES = ["embedded", "node_modules/.cache/majordomo-gateway/embedded"]
const MAX_LEVELS = 6

/** Files made at build time that the embedded database needs beside its code. */
export interface Assets {
  readonly workerUrl: URL
  /** Undefined: not built; the first start takes seconds longer. */
  readonly seedFile: string | undefined
}

/** Looks upwards from this module: the bundler decides how deep in `dist` it ends. Throws when there is no worker. */
export function findAssets(from: string = import.meta.url): Assets {
  const worker = findUpwards(from, "worker.mjs")
  if (!worker)
    throw new Error("the embedded database's worker file is missing from this installation: install it again")
  return { workerUrl: pathToFileURL(worker), seedFile: findUpwards(from, "seed.tar.br") }
}

function findUpwards(from: string, name: string): string | undefined {
  let directory = dirname(fileURLToPath(from))
  for (let level = 0; level < MAX_LEVELS; level++) {
    const found = PLACES.map((place) => join(directory, place, name)).find((path) => existsSync(path))
    if (found) return found
    directory = dirname(directory)
  }
  return undefined
}
