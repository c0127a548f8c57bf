import { GatewayError } from "../core/errors.ts"
import { CLOUDS } from "../providers/_clouds.ts"
import type { Provider } from "../providers/catalog.ts"

/**
 * Creates the choice between the regions of a provider, by the path that it gets. A path chooses among the addresses of
 * the settings, and cannot name another one. It throws a GatewayError, `bad_request`, for another region.
 */
export function createRegionChoice(providers: Readonly<Record<string, Provider>>) {
  const places = new Map<Provider, ReadonlyMap<string, Provider>>()
  for (const provider of Object.values(providers)) {
    const regions = Object.entries(provider.regions ?? {})
    if (regions.length > 0) places.set(provider, new Map(regions.map((each) => [each[0], toPlace(provider, each)])))
  }
  return (provider: Provider, path: string): Provider => {
    if (provider.regions === undefined) return provider
    const region = CLOUDS.vertex.regionIn(path)
    if (region === undefined) return provider
    const place = places.get(provider)?.get(region)
    if (place !== undefined) return place
    throw new GatewayError(
      "bad_request",
      `The location in this path is none of the regions of ${provider.name} in the settings of the gateway. Choose another location, or add this one to providers.${provider.name}.regions.`,
    )
  }
}

function toPlace(provider: Provider, [region, baseUrl]: readonly [string, string]): Provider {
  return region === provider.region ? provider : { ...provider, region, baseUrl }
}
