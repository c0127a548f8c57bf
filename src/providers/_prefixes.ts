import type { RoutedRequest } from "./_routing.ts"

/**
 * Creates the search for the provider whose name begins a path, such as `groq` in `/groq/v1/chat/completions`: some tools
 * can set no header. A name that begins the paths of an API, such as `audio`, is no prefix.
 */
export function createPrefixFinder(
  names: readonly string[],
  claims: { find(request: RoutedRequest): string | undefined },
): (path: string) => string | undefined {
  const prefixes = new Set(
    names.filter((name) => claims.find({ path: `/${name}/x`, query: "", headers: {} }) === undefined),
  )
  return (path) => {
    // Nearly every path begins so, and this costs less than to cut out its first segment.
    if (path.startsWith("/v1")) return undefined
    const end = path.indexOf("/", 1)
    const name = end < 0 ? "" : path.slice(1, end)
    return prefixes.has(name) ? name : undefined
  }
}

/** Returns the request as the provider gets it. */
export function withoutPrefix({ path, query, headers }: RoutedRequest, prefix: string): RoutedRequest {
  return { path: path.slice(prefix.length + 1), query, headers }
}
