import type { LoadedSettings } from "../config/load.ts"
import { describeStorage } from "../database/open.ts"
import { describeProxies } from "../kit/proxy/proxies.ts"
import { BUILT_IN_PROVIDERS } from "../providers/catalog.ts"

/**
 * Returns lines that say where the settings come from, which database they name, and every provider address that is not
 * a default, because a file that nobody expected can change them, and the proxies. They contain no secrets.
 */
export function describeSettings({ settings, sources }: LoadedSettings): string[] {
  const used = [...new Set(Object.values(sources).filter((source) => source !== "default"))]
  return [
    used.length === 0 ? "Settings: all are the defaults" : `Settings from ${used.join(", ")}`,
    `Using ${describeStorage(settings.storage)}`,
    ...Object.entries(settings.providers)
      .filter(([name, { baseUrl }]) => baseUrl !== BUILT_IN_PROVIDERS[name]?.baseUrl)
      .map(([name, { baseUrl }]) => `Provider ${name} is at ${baseUrl} (${sources[`providers.${name}.base_url`]})`),
    ...describeProxies(settings.upstream.proxies).map((proxy) => `${proxy} (${sources["upstream.proxy"]})`),
  ]
}
