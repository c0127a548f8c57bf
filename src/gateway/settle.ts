import type { Ending, RawHeaders } from "../core/call.ts"
import type { Cost } from "../core/cost.ts"
import { findRaw } from "../core/raw-headers.ts"
import { readIdentity } from "./answer-identity.ts"
import { isBilledDespiteLogin } from "./billing.ts"
import { isLarge } from "./body.ts"
import type { Deps } from "./deps.ts"
import type { ProxiedRequest, SettledRequest } from "./proxied-request.ts"

const UNPRICED: Cost = {
  status: "unpriced",
  inputCost: undefined,
  outputCost: undefined,
  totalCost: undefined,
  price: undefined,
}

/** The cost of a request that was not forwarded because of a limit or the policy of its key. */
const NOT_FORWARDED: Cost = {
  status: "free",
  inputCost: "0",
  outputCost: "0",
  totalCost: "0",
  price: { lines: [], reason: "rejected by the gateway: not forwarded" },
}

/**
 * Adds to a request how its answer ended, its captured bodies and its cost. Never throws: a bug here must not cost the
 * client its answer.
 * @param headers of the provider's answer
 * @returns a promise only if the text of an interrupted answer has to be counted first; nobody waits for the end of
 * such an answer, so that its row may come later. The client of a complete answer waits for its row, so that a complete
 * answer without usage keeps the estimate by its length
 */
export function settle(
  deps: Pick<Deps, "settings" | "countText" | "price" | "onError" | "noteAwsDate">,
  request: ProxiedRequest,
  ending: Ending,
  headers: RawHeaders,
): SettledRequest | Promise<SettledRequest> {
  // The bodies come before the row: a row may only name an object that is certain to be uploaded.
  request.bodies = request.capture?.finish({
    statusCode: ending.statusCode,
    headers,
    supplied: request.suppliedSecrets,
  })
  const { billing, route, dialect, credentials } = request
  if (ending.statusCode === 403 && credentials.supplied?.kind === "aws") deps.noteAwsDate?.(findRaw(headers, "date"))
  if (billing !== undefined && isBilledDespiteLogin(route.provider, dialect, headers)) request.billing = undefined
  if (deps.settings.receivesReports) request.identity = readIdentity(request.call, headers)
  const { body } = request.call
  if (isLarge(body)) body.close()
  const { countable } = ending.reading
  if (!countable || !deps.countText || ending.outcome === "complete") return addCost(deps, request, ending)
  return deps
    .countText(countable)
    .then((reading) => addCost(deps, request, reading === undefined ? ending : { ...ending, reading }))
}

function addCost(deps: Pick<Deps, "price" | "onError">, request: ProxiedRequest, ending: Ending): SettledRequest {
  request.ending = ending
  request.cost = ending.outcome === "rejected" ? NOT_FORWARDED : findCost(deps, request, ending)
  return request as SettledRequest
}

/** A failure to price a request costs it its price, not its row. */
function findCost(
  { price, onError }: Pick<Deps, "price" | "onError">,
  { call, caller, route, prepared }: ProxiedRequest,
  { reading, statusCode, isUnanswered = false }: Ending,
): Cost {
  try {
    return price({
      provider: route.provider.name,
      requestedModel: prepared.requestedModel,
      reading,
      at: call.receivedAt,
      keyDiscountFactor: caller.discountFactor,
      failed: statusCode >= 400,
      isUnanswered,
    })
  } catch (error) {
    onError(error, "price")
    return UNPRICED
  }
}
