import { z } from "zod"
import { version } from "../../../package.json"
import { type AnyRoute, defineRoute } from "../_route.ts"
import { describeRoutes } from "../openapi.ts"

/** Defines the route that describes all routes, itself included. */
export function createOpenApiRoutes(list: () => readonly AnyRoute[]) {
  let document: ReturnType<typeof describeRoutes> | undefined
  return {
    openapi: defineRoute({
      name: "openapi",
      method: "GET",
      path: "/openapi.json",
      role: "viewer",
      summary: "this description of the admin API (OpenAPI 3.1)",
      input: z.strictObject({}),
      output: z.looseObject({ openapi: z.string() }),
      needs: [],
      run: () => {
        document ??= describeRoutes(list(), version)
        return document as { openapi: string }
      },
    }),
  }
}
