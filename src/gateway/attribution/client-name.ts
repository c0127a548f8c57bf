import type { Headers } from "../../core/call.ts"
import { isSecretValue } from "../../core/secrets.ts"
import { createTable } from "../../core/table.ts"

/**
 * Programs by the product that begins their User-Agent, in lower case. Others are named as their product. These texts
 * were found in the programs' sources and in recorded requests in November 2026.
 */
const PRODUCTS: Readonly<Record<string, string>> = createTable({
  "claude-cli": "claude-code",
  "google-genai-sdk": "google-genai",
  githubcopilotchat: "copilot-chat",
  copilot: "copilot-cli",
  roocode: "roo-code",
  qwencode: "qwen-code",
  ai: "vercel-ai-sdk",
  "ai-sdk": "vercel-ai-sdk",
  mozilla: "browser",
})
/** Programs whose product varies, by its beginning: `codex_cli_rs`, `codex_vscode`, `GeminiCLI-acp`. */
const FAMILIES: readonly (readonly [beginning: string, name: string])[] = [
  ["codex", "codex"],
  ["geminicli", "gemini-cli"],
  ["langchain", "langchain"],
]
/** The product and up to two numbers of its version. */
const PRODUCT = /^([a-z0-9][a-z0-9._-]{0,39})(?:\/v?(\d{1,6}(?:\.\d{1,6})?))?/i
/** The SDKs of OpenAI and Anthropic, with any class of theirs: `AsyncAzureOpenAI/Python 3.57.0`. */
const VENDOR_SDK = /^(?:Async)?(?:Azure)?(OpenAI|Anthropic)\w*\/(\w{1,10}) (\d{1,6}(?:\.\d{1,6})?)/
/** Google's SDKs say their language in a product of its own: `google-genai-sdk/3.6.1 gl-python/3.11`. */
const GOOGLE_LANGUAGE = /\bgl-(\w{1,10})\//
/** A browser's version of Mozilla says nothing. */
const UNVERSIONED = new Set(["mozilla"])

/** Programs that have the User-Agent of an SDK, and their own name in `X-Title`, as OpenRouter asks them to. */
const TITLES: Readonly<Record<string, string>> = createTable({
  aider: "aider",
  cline: "cline",
  "roo code": "roo-code",
  "kilo code": "kilo-code",
  "open webui": "open-webui",
  librechat: "librechat",
})

const MAX_CACHED_AGENTS = 1000
/** A process stores at most this many names, so that invented ones cannot fill the rollups. */
const MAX_NAMES = 500
const OTHER = "other"

/**
 * Creates the function that names the program which sent a request: `claude-code/2.1`, `openai-node/6.49`, `cursor`. It
 * returns undefined if the request does not tell. The names of User-Agents are cached.
 */
export function createClientNames(): (headers: Headers) => string | undefined {
  const byAgent = new Map<string, string | undefined>()
  const known = new Set<string>()

  function limit(name: string): string {
    if (known.has(name)) return name
    if (known.size >= MAX_NAMES || isSecretValue(name)) return OTHER
    known.add(name)
    return name
  }

  function readAgent(agent: string): string | undefined {
    let name = byAgent.get(agent)
    if (name === undefined && !byAgent.has(agent)) {
      name = parseAgent(agent)
      if (name !== undefined) name = limit(name)
      if (byAgent.size >= MAX_CACHED_AGENTS) byAgent.clear()
      byAgent.set(agent, name)
    }
    return name
  }

  return (headers) => {
    const agent = headers["user-agent"]
    const name = agent === undefined ? undefined : readAgent(agent as string)
    if (headers["x-claude-code-session-id"] !== undefined && name?.startsWith("claude-code") !== true)
      return "claude-code"
    const cursor = headers["x-cursor-client-version"]
    if (cursor !== undefined) return limit(toName("cursor", /^\d{1,6}(?:\.\d{1,6})?/.exec(String(cursor))?.[0]))
    // Its User-Agent is that of the HTTP library. It names its users if its operator wants it to.
    if (headers["x-openwebui-user-id"] !== undefined) return "open-webui"
    const title = headers["x-title"]
    return (title !== undefined && TITLES[String(title).toLowerCase()]) || name
  }
}

function parseAgent(agent: string): string | undefined {
  const [, vendor, language, sdkVersion] = VENDOR_SDK.exec(agent) ?? []
  if (vendor !== undefined) {
    const sdk = language === "JS" ? "node" : language!.toLowerCase()
    return toName(`${vendor.toLowerCase()}-${sdk}`, sdkVersion)
  }
  const [, text, version] = PRODUCT.exec(agent) ?? []
  if (text === undefined) return undefined
  const product = text.toLowerCase()
  const family = FAMILIES.find(([beginning]) => product.startsWith(beginning))?.[1]
  const name = family ?? (Object.hasOwn(PRODUCTS, product) ? PRODUCTS[product]! : product)
  const sdk = name === "google-genai" ? GOOGLE_LANGUAGE.exec(agent)?.[1]?.toLowerCase() : undefined
  return toName(sdk === undefined ? name : `${name}-${sdk}`, UNVERSIONED.has(product) ? undefined : version)
}

function toName(name: string, version: string | undefined): string {
  return version === undefined ? name : `${name}/${version}`
}
