import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

/** The directories in which the package and a run from the sources have the worker and the seed. */
const LOCATIONS = ["embedded", "node_modules/.cache/majordomo-gateway/embedded"]
const MAX_LEVELS = 6

/** The files that the build makes for the embedded database. */
interface Assets {
  readonly workerUrl: URL
  /** Undefined when it was not built. The first start then takes several seconds longer. */
  readonly seedFile: string | undefined
}

/**
 * Finds the files in a directory above this module, because the bundler decides how deep in `dist` the module is.
 * Throws when there is no worker.
 */
export function findAssets(from: string = import.meta.url): Assets {
  const worker = findUpwards(from, "worker.mjs")
  if (!worker)
    throw new Error("the embedded database's worker file is missing from this installation: reinstall the package")
  return { workerUrl: pathToFileURL(worker), seedFile: findUpwards(from, "seed.tar.br") }
}

function findUpwards(from: string, name: string): string | undefined {
  let directory = dirname(fileURLToPath(from))
  for (let level = 0; level < MAX_LEVELS; level++) {
    const found = LOCATIONS.map((location) => join(directory, location, name)).find((path) => existsSync(path))
    if (found) return found
    directory = dirname(directory)
  }
  return undefined
}
