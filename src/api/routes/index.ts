import type { AnyRoute } from "../_route.ts"
import { keys } from "./keys.ts"
import { maintenance } from "./maintenance.ts"
import { metadata } from "./metadata.ts"
import { createOpenApiRoutes } from "./openapi.ts"
import { prices } from "./prices.ts"
import { requests } from "./requests.ts"
import { runs } from "./runs.ts"
import { usage } from "./usage.ts"

const TABLES = [usage, requests, runs, keys, metadata, prices, maintenance, createOpenApiRoutes(() => ROUTES)]

/** All routes of the admin API. */
export const ROUTES: readonly AnyRoute[] = TABLES.flatMap((routes) => Object.values<AnyRoute>(routes))
