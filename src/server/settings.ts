import { type LoadedSettings, type LoadOptions, loadSettings as load } from "../config/load.ts"
import { PROVIDER_CATALOG } from "../providers/catalog.ts"

/** Loads the settings of this program, which has the providers and formats of its catalog. */
export function loadSettings(options: LoadOptions = {}): Promise<LoadedSettings> {
  return load(options, PROVIDER_CATALOG)
}
