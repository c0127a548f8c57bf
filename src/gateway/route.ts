import { GatewayError } from "../core/errors.ts"
import { CLOUDS, type CloudName, findCloud, isCloud } from "../providers/_clouds.ts"
import type { Dialect } from "../providers/_dialect.ts"
import { createPrefixFinder, withoutPrefix } from "../providers/_prefixes.ts"
import { createClaimFinder, findSurface, type RoutedRequest } from "../providers/_routing.ts"
import type { Format, Provider } from "../providers/catalog.ts"
import { createRegionChoice } from "./regions.ts"

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
   * Returns the route of a request by the first rule that fits: the provider that the header names, the cloud that has
   * such paths, the prefix of the path, the dialect that claims the path. There is no default provider, because it could
   * get a credential that belongs to another provider.
   *
   * @throws GatewayError `bad_request`, `unknown_provider`, `unknown_path`
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
  const chooseRegion = createRegionChoice(providers)
  const findPrefix = createPrefixFinder([...Object.keys(providers), ...Object.keys(CLOUDS)], claims)

  function toRoute(provider: Provider, request: RoutedRequest, isNamed: boolean): Route {
    const dialect = dialects[provider.format]
    const surface = findSurface(dialect, request, isNamed)
    if (!surface) return { provider: chooseRegion(provider, request.path), format: provider.format, path: request.path }
    const { rewrite } = surface
    const path = rewrite ? request.path.replace(rewrite.from, rewrite.to) : request.path
    return { provider: chooseRegion(provider, path), format: surface.format as Format, path }
  }

  function findClaiming(request: RoutedRequest): Provider | undefined {
    const format = claims.find(request)
    return format === undefined ? undefined : providers[format]
  }

  function toNamedRoute(provider: Provider, prefix: string | undefined, request: RoutedRequest): Route {
    // A path of Azure has no prefix: `openai` may have Azure's address.
    if (prefix === provider.name && findCloud(request) === undefined) {
      return toRoute(provider, withoutPrefix(request, prefix), true)
    }
    // The paths of the other providers are not known. Those of Groq begin with `/openai/` too.
    if (prefix !== undefined && prefix !== provider.name && provider.name === provider.format)
      throw contradiction(provider.name, prefix)
    return toRoute(provider, request, true)
  }

  /** Returns the route of a path that only a cloud has. */
  function toCloudRoute(name: CloudName, request: RoutedRequest): Route {
    const provider = providers[name]
    if (provider !== undefined) return toRoute(provider, request, false)
    // The settings may give the address of a cloud to the provider that claims its paths.
    const claiming = findClaiming(request)
    if (claiming === undefined || claiming.baseUrl === dialects[claiming.format].baseUrl)
      throw notConfigured(name, "unknown_path")
    return toRoute(claiming, request, false)
  }

  return {
    find(request) {
      const name = request.headers["x-majordomo-provider"]
      const prefix = findPrefix(request.path)
      if (name !== undefined) return toNamedRoute(named(String(name)), prefix, request)
      const cloud = findCloud(request)
      if (cloud !== undefined) return toCloudRoute(cloud, request)
      if (prefix !== undefined) return toRoute(named(prefix), withoutPrefix(request, prefix), true)
      const provider = findClaiming(request)
      if (provider === undefined) throw unknownPath(dialects)
      return toRoute(provider, request, false)
    },
    guessFormat(request) {
      const name = findCloud(request) ?? findPrefix(request.path)
      const known = name === undefined ? undefined : providers[name]
      return known?.format ?? claims.guess(request) ?? formats[0]!
    },
  }
}

/** Returns the provider that a header or a prefix names: its name, or that and the dialect of a surface (`gemini-openai`). */
function createNames(dialects: Dialects, providers: Providers): (name: string) => Provider {
  const spoken = new Set(
    Object.values(dialects).flatMap(({ routes }) => (routes.surfaces ?? []).map(({ format }) => format)),
  )
  const suffix = new RegExp(`-(?:${[...spoken].join("|")})$`)
  return (given) => {
    const name = given.trim().toLowerCase()
    const found = [name, name.replace(suffix, "")].find((each) => Object.hasOwn(providers, each))
    if (found !== undefined) return providers[found]!
    if (isCloud(name)) throw notConfigured(name, "unknown_provider")
    // The names of the settings may be internal, and the client has not shown its key yet.
    const builtIn = Object.keys(dialects).join(", ")
    throw new GatewayError(
      "unknown_provider",
      `X-Majordomo-Provider names no provider of this gateway. It knows ${builtIn}, and those of its settings (providers.NAME).`,
    )
  }
}

function notConfigured(name: CloudName, code: "unknown_path" | "unknown_provider"): GatewayError {
  const { title, setting } = CLOUDS[name]
  return new GatewayError(
    code,
    `This request is for ${title}, which is not configured. In the gateway's settings, set providers.${name}.${setting.key} (such as ${setting.example}).`,
  )
}

function contradiction(provider: string, prefix: string): GatewayError {
  return new GatewayError(
    "bad_request",
    `X-Majordomo-Provider names ${provider}, and the path begins with /${prefix}/, which means the provider ${prefix}. Remove one of them.`,
  )
}

function unknownPath(dialects: Dialects): GatewayError {
  const known = Object.values(dialects).map(({ routes }) => routes.claims.summary)
  return new GatewayError(
    "unknown_path",
    `No provider owns this path. Known paths: ${known.join(", ")}. For any other path name the provider in the header ` +
      "X-Majordomo-Provider, or begin the path with its name, such as /openai/v1/….",
  )
}
