import type { Caller } from "../core/call.ts"
import { GatewayError } from "../core/errors.ts"
import type { RoutedRequest } from "../providers/_routing.ts"
import type { Deps } from "./deps.ts"
import { isModelAllowed } from "./policy.ts"
import { type Arrival, isShort } from "./receive.ts"
import type { Route } from "./route.ts"

interface Asked {
  readonly head: RoutedRequest
  readonly route: Route
  readonly caller: Caller
}

/**
 * Answers a request for models itself, without a row.
 *
 * @returns false if the request must be forwarded
 * @throws GatewayError `unknown_model`, `bad_request`
 */
export function answerModels(
  deps: Pick<Deps, "dialects" | "listModels">,
  { id, request, response }: Arrival,
  { head, route, caller }: Asked,
): boolean {
  const found = request.method === "GET" ? findModels(deps, { head, route, caller }) : undefined
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
  { head, route: { format, path, provider }, caller }: Asked,
): object | undefined {
  const { modelList, readCredential } = dialects[format]
  const asked = modelList?.path.exec(path)
  const known = asked && listModels?.(provider, caller, readCredential(head) !== undefined)
  if (!modelList || !asked || !known) return undefined
  const patterns = caller.policy?.models
  const ids = patterns === undefined ? known : known.filter((model) => isModelAllowed(patterns, model, provider))
  const { name } = provider
  const [, wanted] = asked
  if (wanted === undefined) {
    const names = name === provider.format ? ids.filter((id) => modelList.isOwnName(id)) : ids
    return modelList.toList(names, { provider: name, query: head.query })
  }
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
