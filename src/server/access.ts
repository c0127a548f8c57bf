import type { ApiHandlerDeps } from "../api/handle.ts"
import { ApiError } from "../api/problem.ts"

/** Finds out who calls the admin API. Nobody may, as long as there are no admin tokens. */
export function openAccess(): ApiHandlerDeps["authenticate"] {
  return async () => {
    throw new ApiError("unauthenticated", "this route needs an admin token, as Authorization: Bearer TOKEN")
  }
}
