import type { Api, ApiOptions } from "./api.ts"
import { once } from "./once.ts"

const NOT_LOADED = {
  status: 503,
  code: "not_loaded",
  title: "The admin API cannot be loaded",
  detail: "The files of the program were replaced or removed while the gateway runs. Restart the gateway.",
}

/** Opens the admin API with its first request, because loading its routes and schemas would delay each start. */
export function openLazyApi(options: ApiOptions): Api {
  const api = once(async () => (await import("./api.ts")).openApi(options))
  return {
    handle: (request) =>
      api.get().then(
        (opened) => opened.handle(request),
        (error: unknown) => {
          options.log("error", `the admin API cannot be loaded: ${error instanceof Error ? error.message : error}`)
          const headers = { "Content-Type": "application/problem+json" }
          return Response.json(NOT_LOADED, { status: NOT_LOADED.status, headers })
        },
      ),
    isAdmitted: (request) =>
      api.get().then(
        (opened) => opened.isAdmitted(request),
        () => false,
      ),
    close: api.close,
  }
}
