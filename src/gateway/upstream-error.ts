import { GatewayError } from "../core/errors.ts"
import { HttpError } from "../kit/http/errors.ts"
import { ProxyError } from "../kit/proxy/tunnel.ts"

/** Explains why a provider gave no answer. The message contains neither an address nor a key. */
export function toUpstreamError(error: unknown, provider: string): GatewayError {
  if (error instanceof GatewayError) return error
  if (error instanceof HttpError) return toHttpError(error, provider)
  if (error instanceof ProxyError) {
    const code = error.isTimeout ? "provider_timeout" : "provider_unreachable"
    return new GatewayError(code, `The provider ${provider} could not be reached (${error.message}).`)
  }
  if (isOutOfDescriptors(error)) {
    return new GatewayError(
      "out_of_descriptors",
      "The gateway has reached its limit of open files and connections (ulimit -n), so that it cannot connect to the provider. Try again later, or raise the limit.",
    )
  }
  return unreachable(provider, reason(error))
}

function toHttpError({ failure }: HttpError, provider: string): GatewayError {
  switch (failure) {
    case "invalid_request":
      return new GatewayError("bad_request", "The request has a header or a target that cannot be forwarded.")
    case "connect_timeout":
      return new GatewayError("provider_timeout", `The provider ${provider} did not accept a connection in time.`)
    case "head_timeout":
    case "body_timeout":
      return new GatewayError("provider_timeout", `The provider ${provider} did not answer in time.`)
    case "invalid_response":
      return unreachable(provider, "it did not answer in valid HTTP")
    case "closed":
      return unreachable(provider, "the connection closed before the answer")
    case "pool_closed":
      return unreachable(provider, "the gateway stopped")
  }
}

function unreachable(provider: string, why: string): GatewayError {
  return new GatewayError("provider_unreachable", `The provider ${provider} could not be reached (${why}).`)
}

/** Returns the error of an answer whose head cannot be sent to a client. */
export function toHeadError(provider: string): GatewayError {
  return new GatewayError("provider_unreachable", `The provider ${provider} answered with an invalid head.`)
}

/** The limit of this process (EMFILE) or of the system (ENFILE). The provider has nothing to do with it. */
function isOutOfDescriptors(error: unknown): boolean {
  const { code, errors: attempts } = (error ?? {}) as { code?: unknown; errors?: unknown }
  if (Array.isArray(attempts)) return attempts.some(isOutOfDescriptors) // one error for each address of the host
  return code === "EMFILE" || code === "ENFILE"
}

function reason(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  switch (code) {
    case "ECONNREFUSED":
      return "connection refused"
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "its name could not be resolved"
    case "ECONNRESET":
    case "EPIPE":
      return "the connection closed before the answer"
    case "ETIMEDOUT":
      return "connection timed out"
    default:
      if (typeof code === "string" && /CERT|TLS|SSL|SIGNATURE|ALTNAME/.test(code))
        return "its TLS certificate was not accepted"
      return "no valid answer"
  }
}
