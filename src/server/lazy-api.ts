import type { Api, ApiOptions } from "./api.ts"
import { answerNotLoaded } from "./not-loaded.ts"
import { once } from "./once.ts"

/** Opens the admin API with its first request, because loading its routes and schemas would delay each start. */
export function openLazyApi(options: ApiOptions): Api {
  const api = once(async () => (await import("./api.ts")).openApi(options))
  return {
    handle: (request) =>
      api.get().then(
        (opened) => opened.handle(request),
        (error: unknown) => answerNotLoaded("the admin API", error, options.log),
      ),
    isAdmitted: (request) =>
      api.get().then(
        (opened) => opened.isAdmitted(request),
        () => false,
      ),
    close: api.close,
  }
}
