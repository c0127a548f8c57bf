import type { AnyRoute } from "../_route.ts"
import { GO_ROUTES } from "./go/index.ts"
import { keys } from "./keys.ts"
import { createOpenApiRoutes } from "./openapi.ts"
import { requests } from "./requests.ts"
import { usage } from "./usage.ts"

/** All routes of the admin API. */
export const ROUTES: readonly AnyRoute[] = [
  keys,
  requests,
  usage,
  ...GO_ROUTES,
  createOpenApiRoutes(() => ROUTES),
].flatMap((routes) => Object.values<AnyRoute>(routes))
