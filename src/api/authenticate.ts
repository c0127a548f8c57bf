import { type Actor, includesRole } from "../core/actor.ts"
import type { Database } from "../operations/context.ts"
import { findTokenActor } from "../operations/tokens/find.ts"
import type { AnyRoute } from "./_route.ts"
import { ApiError } from "./problem.ts"

interface AuthenticateDeps {
  database(): Promise<Database>
}

/** Creates the function that finds out who calls a route, and rejects who may not. */
export function createAuthenticate({ database }: AuthenticateDeps) {
  async function findActor(request: Request): Promise<Actor> {
    const address = (request as { readonly ip?: string }).ip ?? null
    const token = /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1]
    if (token === undefined) {
      throw new ApiError(
        "unauthenticated",
        "this route needs an admin token, as Authorization: Bearer TOKEN",
        CHALLENGE,
      )
    }
    const actor = await findTokenActor({ database: await database() }, { token, address })
    if (actor === undefined)
      throw new ApiError("unauthenticated", "the admin token is unknown, expired or revoked", CHALLENGE)
    return actor
  }

  return async (request: Request, route: AnyRoute): Promise<{ readonly actor: Actor }> => {
    const actor = await findActor(request)
    if (!includesRole(actor.role, route.role)) {
      throw new ApiError("forbidden", `this needs the role ${route.role}, and ${actor.name} has the role ${actor.role}`)
    }
    return { actor }
  }
}

const CHALLENGE = { "WWW-Authenticate": "Bearer" }
