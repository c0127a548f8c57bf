import type { AnyRoute } from "./_route.ts"
import { ApiError } from "./problem.ts"

/** A command from afar recognizes an older gateway by it. */
export const NO_ROUTE = "there is no such route"

interface Match {
  readonly route: AnyRoute
  /** The parameters of the path, decoded. */
  readonly parameters: Readonly<Record<string, string>>
}

/** Finds the route of a method and a path. */
export interface Router {
  /** @throws ApiError `not_found` or `method_not_allowed` */
  find(method: string, path: string): Match
}

interface Pattern {
  readonly route: AnyRoute
  readonly segments: readonly string[]
}

/** Creates a router. Of two paths that match, the one with fewer parameters is meant: `/requests/tail` is no id. */
export function createRouter(routes: readonly AnyRoute[]): Router {
  const patterns = routes
    .map((route): Pattern => ({ route, segments: route.path.split("/") }))
    .sort((a, b) => countParameters(a) - countParameters(b))
  return {
    find(method, path) {
      const segments = path.split("/")
      const matching = patterns.filter((pattern) => matches(pattern, segments))
      const pattern = matching.find(({ route }) => route.method === method)
      if (pattern !== undefined) return { route: pattern.route, parameters: readParameters(pattern, segments) }
      if (matching.length === 0) {
        throw new ApiError("not_found", `${NO_ROUTE}; /api/v1/openapi.json lists all`)
      }
      const allowed = [...new Set(matching.map(({ route }) => route.method))].join(", ")
      throw new ApiError("method_not_allowed", `this route takes ${allowed}`, { Allow: allowed })
    },
  }
}

const isParameter = (segment: string) => segment.startsWith("{")
const countParameters = ({ segments }: Pattern) => segments.filter(isParameter).length

function matches({ segments }: Pattern, actual: readonly string[]): boolean {
  if (segments.length !== actual.length) return false
  return segments.every((segment, i) => (isParameter(segment) ? actual[i] !== "" : segment === actual[i]))
}

function readParameters({ segments }: Pattern, actual: readonly string[]): Record<string, string> {
  const pairs = segments.flatMap((segment, i) =>
    isParameter(segment) ? [[segment.slice(1, -1), decode(actual[i]!)]] : [],
  )
  return Object.fromEntries(pairs)
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new ApiError("not_found", "the path is not valid: a % in it is not followed by two hexadecimal digits")
  }
}
