import type { Caller } from "../core/call.ts"
import { GatewayError } from "../core/errors.ts"
import type { Deps } from "./deps.ts"
import { type Arrival, isShort } from "./receive.ts"
import type { Route } from "./route.ts"

/**
 * Answers a request for models itself, without a row.
 *
 * @returns false if the request must be forwarded
 * @throws GatewayError `unknown_model`
 */
export function answerModels(
  deps: Pick<Deps, "dialects" | "listModels">,
  { id, request, response }: Arrival,
  { route, caller }: { readonly route: Route; readonly caller: Caller },
): boolean {
  const found = request.method === "GET" ? findModels(deps, route, caller) : undefined
  if (found === undefined) return false
  const body = Buffer.from(JSON.stringify(found))
  const headers = ["Content-Type", "application/json; charset=utf-8", "Content-Length", String(body.length)]
  headers.push("X-Majordomo-Request-Id", id)
  if (!isShort(request)) headers.push("Connection", "close")
  response.writeHead(200, headers).end(body)
  return true
}

/** Returns the list or the model that a path names, as JSON data; undefined: it names neither, or there is no list. */
function findModels(
  { dialects, listModels }: Pick<Deps, "dialects" | "listModels">,
  { format, path, provider }: Route,
  caller: Caller,
): object | undefined {
  const { modelList } = dialects[format]
  const asked = modelList?.path.exec(path)
  const ids = asked && listModels?.(provider, caller)
  if (!modelList || !asked || !ids) return undefined
  const { name } = provider
  const [, wanted] = asked
  if (wanted === undefined) return modelList.toList(ids.map((id) => modelList.toModel(id, name)))
  const id = decode(wanted)
  if (ids.includes(id)) return modelList.toModel(id, name)
  throw new GatewayError(
    "unknown_model",
    `The gateway knows no model of this name at ${name}. To see all that it knows, list the models.`,
  )
}

/** A % that is part of no encoded character stands for itself. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
