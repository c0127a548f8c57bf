import type { Actor } from "../core/actor.ts"
import { CommandError } from "../core/errors.ts"
import type { AnyRoute, Need, Route, RouteContext } from "./_route.ts"
import { checkRole } from "./access.ts"
import type { ApiHandlerDeps } from "./handle.ts"
import { parseInput } from "./input.ts"

interface DirectCaller {
  readonly actor: Actor
  readonly signal: AbortSignal
}

/** Calls a route in the process of the gateway for somebody who is known, and returns its output. */
export type DirectCall = (route: AnyRoute, input: unknown, caller: DirectCaller) => Promise<unknown>

/**
 * Creates the function that calls routes without an HTTP request of their own. It checks roles and inputs as requests to
 * the API do. An error is one that `explainError` explains, and a bug is in the log.
 */
export function createDirectCall(deps: Pick<ApiHandlerDeps, "open" | "explain" | "onBug" | "now">): DirectCall {
  return async (route, input, { actor, signal }) => {
    try {
      checkRole(actor, route.role)
      const parsed = parseInput(route, input, deps.now())
      const resources = await deps.open(route)
      const context = { ...resources, actor, signal, log: () => {}, onProgress: () => {} }
      // A route that needs the HTTP request itself is never called in this way.
      return await (route as Route).run(context as unknown as RouteContext<Need>, parsed)
    } catch (error) {
      const explained = deps.explain(error)
      if (!(explained instanceof CommandError)) deps.onBug(route.name, explained)
      throw explained
    }
  }
}
