import { GatewayError } from "../core/errors.ts"
import { findEnd, type KeyPolicy, matchesModel } from "../core/key-policy.ts"
import { isModelAmbiguous } from "../providers/_request.ts"
import type { Operation } from "../providers/_routes.ts"
import type { Format, Provider } from "../providers/catalog.ts"
import { toModel } from "./log-record.ts"
import type { ProxiedRequest } from "./proxied-request.ts"
import { opensSession } from "./sockets/opening.ts"

const HELP = "Ask the person who manages the gateway's keys to change it (majordomo-gateway keys update)."

/**
 * Rejects a request that its key does not allow, as far as its head tells.
 *
 * @param now in milliseconds since the epoch
 * @throws GatewayError `expired_gateway_key`, `provider_not_allowed`
 */
export function checkPolicy(policy: KeyPolicy | undefined, { name }: Pick<Provider, "name">, now: number): void {
  if (policy === undefined) return
  const endedAt = findEnd(policy, now)
  if (endedAt !== undefined) throw toExpired(endedAt, policy)
  if (policy.providers === undefined || policy.providers.includes(name.toLowerCase())) return
  const allowed = policy.providers.join(", ")
  throw new GatewayError(
    "provider_not_allowed",
    `This gateway key may not use the provider ${name}, only ${allowed}. ${HELP}`,
  )
}

/**
 * Rejects a request if its key does not allow a model that it names. One that names no model is allowed if it costs
 * nothing. A batch without a model is rejected, because its items name models that the gateway does not read.
 *
 * @throws GatewayError `model_not_allowed`
 */
export function checkModels(
  { models }: KeyPolicy,
  {
    call,
    route,
    dialect,
    prepared,
    providerRequest,
  }: Pick<ProxiedRequest, "call" | "route" | "dialect" | "prepared" | "providerRequest">,
): void {
  if (models === undefined) return
  const { requestedModel } = prepared
  const { operation } = dialect.routes.operations.find(providerRequest.method, providerRequest.path)
  // A path and a body can name different models. Both are checked, so that it does not matter which one the provider takes.
  // The items of a job name the models, and what its body names means nothing.
  const inBody = operation === "job" ? undefined : requestedModel
  const named = [inBody, dialect.modelInPath?.(providerRequest.path)].filter((model) => model !== undefined)
  for (const model of named) {
    if (isModelAllowed(models, model, route.provider)) continue
    const shown = JSON.stringify(model.slice(0, 100))
    throw new GatewayError(
      "model_not_allowed",
      `This gateway key may not use the model ${shown}, only ${models.join(", ")}. ${HELP}`,
    )
  }
  // The turns of a WebSocket name their models themselves.
  if (named.length === 0 && opensSession(call)) return
  if (FREE.has(operation) || (named.length > 0 && !isModelAmbiguous(providerRequest))) return
  throw new GatewayError(
    "model_not_allowed",
    `This gateway key may use only the models ${models.join(", ")}, and the gateway cannot tell which model this request uses. ${HELP}`,
  )
}

const FREE: ReadonlySet<Operation> = new Set(["free", "stored", "result"])

/** Returns whether a pattern matches a model: by the name that was asked for, or by the model behind it. */
export function isModelAllowed(patterns: readonly string[], model: string, provider: Provider): boolean {
  const names = new Set([model.toLowerCase(), toModel(model, provider).toLowerCase()])
  for (const prefix of PREFIXES[provider.format] ?? [])
    for (const name of [...names]) names.add(name.replace(prefix, ""))
  return matchesModel(patterns, [...names])
}

/**
 * What the clouds put in front of a model's name. Only they give names there, so that no client can choose such a name.
 *
 * Worked example: `us.anthropic.claude-sonnet-4-5-20250929-v1:0` is `claude-sonnet-4-5-20250929-v1:0` too.
 */
const PREFIXES: Partial<Readonly<Record<Format, readonly RegExp[]>>> = {
  bedrock: [
    /^arn:[^:]*:bedrock:[^:]*:[^:]*:(?:foundation-model|inference-profile)\//,
    /^(?:us|us-gov|eu|apac|jp|au|ca|in|sa|me|af|il|mx|global)\.(?=[a-z0-9-]+\.)/,
    /^[a-z0-9-]+\./,
  ],
  gemini: [/^(?:projects\/[^/]+\/locations\/[^/]+\/)?(?:publishers\/[^/]+\/)?models\//, /^google\//],
}

function toExpired(endedAt: number, { secretEndsAt }: KeyPolicy): GatewayError {
  const at = new Date(endedAt).toISOString()
  return new GatewayError(
    "expired_gateway_key",
    endedAt === secretEndsAt
      ? `This gateway key was replaced by a new one, and stopped working at ${at}. Use the new one.`
      : `The gateway key expired at ${at}. Ask the person who manages the gateway's keys for a new one, or to extend it (majordomo-gateway keys update --expires).`,
  )
}
