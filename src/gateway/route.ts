import type { Headers } from "../core/call.ts"
import { GatewayError } from "../core/errors.ts"
import type { Format, Provider } from "../providers/_dialect.ts"

/** Where a request goes, before its body is read. */
export interface Route {
  readonly provider: Provider
  /** The dialect that the client speaks on this path (the provider's own, or OpenAI's on a compatible surface). */
  readonly format: Format
  /** The path as the provider gets it, without the base URL's prefix. */
  readonly path: string
}

interface Request {
  readonly path: string
  readonly query: string
  readonly headers: Headers
}

const OPENAI_ROOTS = [
  "chat/completions",
  "completions",
  "responses",
  "embeddings",
  "images",
  "audio",
  "moderations",
  "models",
  "files",
  "batches",
  "uploads",
  "fine_tuning",
  "assistants",
  "threads",
  "vector_stores",
  "containers",
  "videos",
] as const

const OPENAI_PATH = new RegExp(`^(?:/v1)?/(?:${OPENAI_ROOTS.join("|")})(?:/|$)`)
const GEMINI_VERBS = /generateContent|streamGenerateContent|[eE]mbedContents?|countTokens/
const GEMINI_OPENAI_PREFIX = "/v1beta/openai/"

/**
 * The provider of a request, by the first rule that fits. Never a default one: that would hand the caller's
 * credential to a stranger.
 *
 * @throws GatewayError `unknown_provider`, `unknown_path`
 */
export function findRoute(request: Request, providers: Readonly<Record<string, Provider>>): Route {
  const { path, headers } = request
  const named = headers["x-majordomo-provider"]
  if (named !== undefined) return routeByName(String(named), request, providers)
  if (isUnder(path, "/v1/messages")) return native("anthropic", path, providers)
  if (path.startsWith(GEMINI_OPENAI_PREFIX)) return { ...native("gemini", path, providers), format: "openai" }
  if (path.startsWith("/v1beta/") || GEMINI_VERBS.test(path)) return native("gemini", path, providers)
  if (headers["anthropic-version"] !== undefined || headers["x-api-key"] !== undefined) {
    return native("anthropic", path, providers)
  }
  if (headers["x-goog-api-key"] !== undefined || (isUnder(path, "/v1/models") && hasGeminiCredential(request))) {
    return native("gemini", path, providers)
  }
  if (OPENAI_PATH.test(path)) return native("openai", path, providers)
  throw new GatewayError(
    "unknown_path",
    "No provider owns this path. Known paths: /v1/chat/completions, /v1/completions, /v1/responses, /v1/embeddings and the " +
      "other OpenAI paths, /v1/messages (Anthropic), /v1beta/… (Gemini). For any other path name the provider in the " +
      "header X-Majordomo-Provider.",
  )
}

/** The dialect in which a request that found no route is refused: a guess from what the client speaks. */
export function guessFormat(path: string, headers: Headers): Format {
  if (headers["anthropic-version"] !== undefined || isUnder(path, "/v1/messages")) return "anthropic"
  if (headers["x-goog-api-key"] !== undefined || GEMINI_VERBS.test(path)) return "gemini"
  return "openai"
}

function routeByName(named: string, request: Request, providers: Readonly<Record<string, Provider>>): Route {
  const { path } = request
  const wanted = named.trim().toLowerCase()
  const name = Object.hasOwn(providers, wanted) ? wanted : wanted.replace(/-openai$/, "")
  if (!Object.hasOwn(providers, name)) {
    const known = Object.keys(providers).join(", ")
    throw new GatewayError(
      "unknown_provider",
      `X-Majordomo-Provider names no provider of this gateway. Known: ${known}.`,
    )
  }
  const provider = providers[name]!
  if (provider.format === "gemini" && path.startsWith(GEMINI_OPENAI_PREFIX)) return { provider, format: "openai", path }
  if (provider.format === "gemini" && isOpenAiPath(path) && !hasGeminiCredential(request)) {
    return { provider, format: "openai", path: path.replace(/^(?:\/v1)?\//, GEMINI_OPENAI_PREFIX) }
  }
  // Anthropic's compatible surface has this one path; its /v1/models and /v1/files are its own.
  if (provider.format === "anthropic" && isUnder(path, "/v1/chat/completions"))
    return { provider, format: "openai", path }
  return { provider, format: provider.format, path }
}

function isOpenAiPath(path: string): boolean {
  return OPENAI_PATH.test(path) && !GEMINI_VERBS.test(path)
}

/** Gemini's OpenAI surface takes a bearer token only, so these mean the native one. */
function hasGeminiCredential({ query, headers }: Request): boolean {
  return headers["x-goog-api-key"] !== undefined || /[?&]key=/.test(query)
}

function native(name: string, path: string, providers: Readonly<Record<string, Provider>>): Route {
  const provider = providers[name]!
  return { provider, format: provider.format, path }
}

function isUnder(path: string, root: string): boolean {
  return path.startsWith(root) && (path.length === root.length || "/:?".includes(path[root.length]!))
}
