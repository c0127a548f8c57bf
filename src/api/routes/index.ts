import type { AnyRoute } from "../_route.ts"
import { audit } from "./audit.ts"
import { keys } from "./keys.ts"
import { me } from "./me.ts"
import { createOpenApiRoutes } from "./openapi.ts"
import { requests } from "./requests.ts"
import { sessions } from "./sessions.ts"
import { tokens } from "./tokens.ts"
import { usage } from "./usage.ts"

/** All routes of the admin API. */
export const ROUTES: readonly AnyRoute[] = [
  audit,
  keys,
  me,
  requests,
  sessions,
  tokens,
  usage,
  createOpenApiRoutes(() => ROUTES),
].flatMap((routes) => Object.values<AnyRoute>(routes))
