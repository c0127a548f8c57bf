import { hasPlace } from "./_credentials.ts"
import type { Dialect } from "./_dialect.ts"
import { hasSign, type Surface } from "./_routes.ts"

/** The parts of a request that decide where it goes. */
export interface RoutedRequest {
  readonly path: string
  /** `""`, or `?` and the rest. */
  readonly query: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/**
 * Creates the search for the dialect of a request that names no provider. The dialects' own paths count
 * before signs, and signs before shared paths; where two dialects claim a request alike, the first one gets it.
 */
export function createClaimFinder<Format extends string>(
  dialects: Readonly<Record<Format, Dialect>>,
): (request: RoutedRequest) => Format | undefined {
  const entries = Object.entries(dialects) as [Format, Dialect][]
  const list = <T>(pick: (claims: Dialect["routes"]["claims"]) => readonly T[] | undefined) =>
    entries.flatMap(([format, { routes }]) => (pick(routes.claims) ?? []).map((claim) => ({ format, claim })))
  const paths = list((claims) => claims.paths)
  const signs = list((claims) => claims.signs)
  const sharedPaths = list((claims) => claims.sharedPaths)
  return (request) => {
    for (const { format, claim } of paths) if (claim.test(request.path)) return format
    for (const { format, claim } of signs) if (hasSign(claim, request)) return format
    for (const { format, claim } of sharedPaths) if (claim.test(request.path)) return format
    return undefined
  }
}

/** Returns the surface of a provider that a request reaches; undefined when it reaches the provider's own API. */
export function findSurface(dialect: Dialect, request: RoutedRequest, isNamed: boolean): Surface | undefined {
  for (const surface of dialect.routes.surfaces ?? NO_SURFACES) {
    if (!surface.path.test(request.path) || surface.except?.test(request.path)) continue
    if (surface.isOnlyNamed && !isNamed) continue
    if (surface.isOnlyBearer && hasOwnCredential(dialect, request)) continue
    return surface
  }
  return undefined
}

const NO_SURFACES: readonly Surface[] = []

/** Returns true if the request carries a credential of the provider's that is no bearer token. */
function hasOwnCredential({ credentials }: Dialect, request: RoutedRequest): boolean {
  return credentials.some((place) => !("scheme" in place) && hasPlace(place, request))
}
