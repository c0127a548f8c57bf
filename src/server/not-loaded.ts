import type { ServerOptions } from "./options.ts"

const NOT_LOADED = {
  status: 503,
  code: "not_loaded",
  title: "The admin API cannot be loaded",
  detail: "The files of the program were replaced or removed while the gateway runs. Restart the gateway.",
}

/** Answers a request to a part of the program whose files cannot be loaded. */
export function answerNotLoaded(part: string, error: unknown, log: ServerOptions["log"]): Response {
  log("error", `${part} cannot be loaded: ${error instanceof Error ? error.message : error}`)
  const headers = { "Content-Type": "application/problem+json" }
  return Response.json(NOT_LOADED, { status: NOT_LOADED.status, headers })
}
