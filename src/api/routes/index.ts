import type { AnyRoute } from "../_route.ts"
import { archive } from "./archive.ts"
import { audit } from "./audit.ts"
import { GO_ROUTES } from "./go/index.ts"
import { imports } from "./imports.ts"
import { keys } from "./keys.ts"
import { limits } from "./limits.ts"
import { maintenance } from "./maintenance.ts"
import { me } from "./me.ts"
import { metadata } from "./metadata.ts"
import { notifications } from "./notifications.ts"
import { oidc } from "./oidc.ts"
import { createOpenApiRoutes } from "./openapi.ts"
import { outlook } from "./outlook.ts"
import { priceOverrides } from "./price-overrides.ts"
import { prices } from "./prices.ts"
import { providerKeys } from "./provider-keys.ts"
import { reconciliations } from "./reconciliations.ts"
import { requests } from "./requests.ts"
import { runs } from "./runs.ts"
import { sessions } from "./sessions.ts"
import { status } from "./status.ts"
import { tokens } from "./tokens.ts"
import { usage } from "./usage.ts"
import { vault } from "./vault.ts"

const TABLES = [
  usage,
  outlook,
  requests,
  runs,
  keys,
  limits,
  providerKeys,
  vault,
  metadata,
  prices,
  priceOverrides,
  reconciliations,
  imports,
  notifications,
  maintenance,
  archive,
  status,
  tokens,
  sessions,
  oidc,
  audit,
  me,
  ...GO_ROUTES,
  createOpenApiRoutes(() => ROUTES),
]

/** All routes of the admin API. */
export const ROUTES: readonly AnyRoute[] = TABLES.flatMap((routes) => Object.values<AnyRoute>(routes))
