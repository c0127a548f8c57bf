import { remember } from "../kit/remember.ts"
import { type CredentialPlace, hasPlace } from "./_credentials.ts"
import type { Dialect } from "./_dialect.ts"
import type { Surface } from "./_routes.ts"

/** The parts of a request that decide where it goes. */
export interface RoutedRequest {
  readonly path: string
  /** `""`, or `?` and the rest. */
  readonly query: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** Finds the dialect of a request that names no provider. */
interface ClaimFinder<Format extends string> {
  /** Returns the dialect that owns the path of a request; undefined: no dialect does. */
  find(request: RoutedRequest): Format | undefined
  /** Returns the dialect whose clients send requests like this one, for the form of an error. */
  guess(request: RoutedRequest): Format | undefined
}

/**
 * Creates the search over the claims of all dialects. The path decides. Where several dialects have a path, the first one
 * whose sign the request carries gets it, or else the first one. A header alone never finds a dialect, because its
 * provider could then get a credential that belongs to another one.
 */
export function createClaimFinder<Format extends string>(
  dialects: Readonly<Record<Format, Dialect>>,
): ClaimFinder<Format> {
  const entries = Object.entries(dialects) as [Format, Dialect][]
  const claims = entries.map(([format, { routes }]) => ({ format, ...routes.claims }))
  const findOwners = remember((path) => {
    const owner = claims.find(({ paths }) => matches(paths, path))
    return owner === undefined ? claims.filter(({ sharedPaths }) => matches(sharedPaths, path)) : [owner]
  }, REMEMBERED)

  function find(request: RoutedRequest): Format | undefined {
    const owners = findOwners(request.path)
    if (owners.length > 1) for (const { format, signs } of owners) if (hasSign(signs, request)) return format
    return owners[0]?.format
  }

  return {
    find,
    guess: (request) => find(request) ?? claims.find(({ signs }) => hasSign(signs, request))?.format,
  }
}

/** The paths that most requests have are few and short. */
const REMEMBERED = { entries: 1000, length: 200 }

function matches(paths: readonly RegExp[] | undefined, path: string): boolean {
  if (paths !== undefined) for (const each of paths) if (each.test(path)) return true
  return false
}

/** Returns true if the request has one of the places. */
export function hasSign(signs: readonly CredentialPlace[] | undefined, request: RoutedRequest): boolean {
  return signs?.some((sign) => hasPlace(sign, request)) === true
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

/**
 * Google's SDKs join their base URL, which ends with a slash, and the path of the Live API, which begins with one. Google
 * takes both forms, and the one with two slashes is otherwise rejected, as the provider may read such a path differently.
 */
const DOUBLED_SLASH = /^(\/[\w.-]+)?\/(?=\/ws\/google\.)/

/** Returns a request target with one slash where an SDK is known to send two. */
export function withoutDoubledSlash(target: string): string {
  return target.includes("//ws/") ? target.replace(DOUBLED_SLASH, "$1") : target
}
