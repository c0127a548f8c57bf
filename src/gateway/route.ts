import { GatewayError } from "../core/errors.ts"
import type { Dialect } from "../providers/_dialect.ts"
import { createClaimFinder, findSurface, type RoutedRequest } from "../providers/_routing.ts"
import type { Format, Provider } from "../providers/catalog.ts"

/** Where a request goes, before its body is read. */
export interface Route {
  readonly provider: Provider
  /** The dialect of this path: the provider's own, or that of one of its surfaces. */
  readonly format: Format
  /** The path as the provider gets it, without the base URL's prefix. */
  readonly path: string
}

export interface Router {
  /**
   * Returns the route of a request by the first rule that fits. There is no default provider, because it could get
   * a credential that belongs to another provider.
   *
   * @throws GatewayError `unknown_provider`, `unknown_path`
   */
  find(request: RoutedRequest): Route
  /** Returns the dialect in which a request that has no route yet is answered. */
  guessFormat(request: RoutedRequest): Format
}

type Dialects = Readonly<Record<Format, Dialect>>
type Providers = Readonly<Record<string, Provider>>

/**
 * Creates the router over the tables of the dialects. Where two dialects claim a request alike, the first one gets it.
 */
export function createRouter(dialects: Dialects, providers: Providers): Router {
  const formats = Object.keys(dialects) as readonly Format[]
  const claims = createClaimFinder(dialects)
  const named = createNames(dialects, providers)

  function toRoute(provider: Provider, request: RoutedRequest, isNamed: boolean): Route {
    const dialect = dialects[provider.format]
    const surface = findSurface(dialect, request, isNamed)
    if (!surface) return { provider, format: provider.format, path: request.path }
    const { rewrite } = surface
    const path = rewrite ? request.path.replace(rewrite.from, rewrite.to) : request.path
    return { provider, format: surface.format as Format, path }
  }

  return {
    find(request) {
      const name = request.headers["x-majordomo-provider"]
      if (name !== undefined) return toRoute(named(String(name)), request, true)
      const format = claims.find(request)
      if (format === undefined) throw unknownPath(dialects)
      return toRoute(providers[format]!, request, false)
    },
    guessFormat: (request) => claims.guess(request) ?? formats[0]!,
  }
}

/** Returns the provider that a header names: its name, or its name and the dialect of a surface (`gemini-openai`). */
function createNames(dialects: Dialects, providers: Providers): (name: string) => Provider {
  const spoken = new Set(
    Object.values(dialects).flatMap(({ routes }) => (routes.surfaces ?? []).map(({ format }) => format)),
  )
  const suffix = new RegExp(`-(?:${[...spoken].join("|")})$`)
  return (header) => {
    const name = header.trim().toLowerCase()
    const found = [name, name.replace(suffix, "")].find((each) => Object.hasOwn(providers, each))
    if (found !== undefined) return providers[found]!
    // The names of the settings may be internal, and the client has not shown its key yet.
    const builtIn = Object.keys(dialects).join(", ")
    throw new GatewayError(
      "unknown_provider",
      `X-Majordomo-Provider names no provider of this gateway. It knows ${builtIn}, and those of its settings (providers.NAME).`,
    )
  }
}

function unknownPath(dialects: Dialects): GatewayError {
  const known = Object.values(dialects).map(({ routes }) => routes.claims.summary)
  return new GatewayError(
    "unknown_path",
    `No provider owns this path. Known paths: ${known.join(", ")}. For any other path name the provider in the header ` +
      "X-Majordomo-Provider.",
  )
}
