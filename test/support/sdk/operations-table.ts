import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import Anthropic from "@anthropic-ai/sdk"
import OpenAI from "openai"
import { createRouter } from "../../../src/gateway/route.ts"
import type { Operation } from "../../../src/providers/_routes.ts"
import { BUILT_IN_PROVIDERS, DIALECTS, type Provider } from "../../../src/providers/catalog.ts"
import { listAwsMethods } from "./aws-methods.ts"
import { ClientMethods } from "./client-methods.ts"
import { listGoogleMethods } from "./google-methods.ts"
import type { SdkMethod } from "./method.ts"
import { unknownReason } from "./unknown-reasons.ts"

/** What the gateway makes of one method of an SDK. */
export interface OperationEntry extends SdkMethod {
  /** The provider that gets the request; undefined if no rule finds one without `X-Majordomo-Provider`. */
  readonly provider: string | undefined
  readonly operation: Operation
  readonly isFree: boolean
  /** Why the operation is `unknown`. */
  readonly reason: string | undefined
}

/** Returns every method of the four official SDKs with its operation. */
export async function listOperations(): Promise<OperationEntry[]> {
  const methods = [...(await openAiMethods()), ...(await anthropicMethods()), ...googleMethods(), ...awsMethods()]
  return methods.map(toEntry)
}

async function openAiMethods(): Promise<SdkMethod[]> {
  const methods = new ClientMethods()
  const { fetch } = methods
  const options = { apiKey: "k", adminAPIKey: "k", baseURL: "http://sdk.test/v1", maxRetries: 0, fetch }
  return methods.list("openai", new OpenAI(options))
}

async function anthropicMethods(): Promise<SdkMethod[]> {
  const methods = new ClientMethods()
  const options = { apiKey: "k", baseURL: "http://sdk.test", maxRetries: 0, fetch: methods.fetch }
  return methods.list("@anthropic-ai/sdk", new Anthropic(options))
}

function googleMethods(): SdkMethod[] {
  const path = createRequire(import.meta.url)
    .resolve("@google/genai")
    .replace(/index\.cjs$/, "index.mjs")
  return listGoogleMethods(readFileSync(path, "utf8"))
}

function awsMethods(): SdkMethod[] {
  const path = createRequire(import.meta.url)
    .resolve("@aws-sdk/client-bedrock-runtime")
    .replace(/dist-cjs\/index\.js$/, "dist-es/schemas/schemas_0.js")
  return listAwsMethods(readFileSync(path, "utf8"))
}

/** The header that each SDK sends with every request, and by which the router knows it. */
const HEADERS = {
  openai: {},
  "@anthropic-ai/sdk": { "anthropic-version": "2023-06-01", "x-api-key": "k" },
  "@google/genai": { "x-goog-api-key": "k" },
  "@aws-sdk/client-bedrock-runtime": {},
} as const

export const FORMATS = {
  openai: "openai",
  "@anthropic-ai/sdk": "anthropic",
  "@google/genai": "gemini",
  "@aws-sdk/client-bedrock-runtime": "bedrock",
} as const

const VERTEX: Provider = { name: "vertex", format: "gemini", baseUrl: "https://aiplatform.googleapis.com" }
const router = createRouter(DIALECTS, { ...BUILT_IN_PROVIDERS, vertex: VERTEX })

function toEntry(method: SdkMethod): OperationEntry {
  const { sdk, verb } = method
  const path = method.path.replace(/\{\w+\}/g, "id-1")
  const { operations } = DIALECTS[FORMATS[sdk]].routes
  const { operation } = operations.find(verb, path)
  return {
    ...method,
    provider: findProvider(path, HEADERS[sdk]),
    operation,
    isFree: DIALECTS[FORMATS[sdk]].isFree({ method: verb, path }),
    reason: operation === "unknown" ? unknownReason(method) : undefined,
  }
}

function findProvider(path: string, headers: Readonly<Record<string, string>>): string | undefined {
  try {
    return router.find({ path, query: "", headers }).provider.name
  } catch {
    return undefined
  }
}

const BILLED: Readonly<Record<Operation, string>> = {
  inference: "yes",
  result: "yes, its items",
  job: "no, its results are",
  stored: "no, what it shows was billed before",
  free: "no",
  unknown: "perhaps",
}

/** Returns the page of all operations as Markdown. */
export function toOperationsPage(entries: readonly OperationEntry[]): string {
  const sections = (Object.keys(FORMATS) as SdkMethod["sdk"][]).map((sdk) => {
    const rows = entries.filter((entry) => entry.sdk === sdk)
    return `## ${sdk}\n\n${countsOf(rows)}\n\n| method | request | provider | operation | billed |\n|---|---|---|---|---|\n${rows.map(toRow).join("\n")}\n`
  })
  return `${HEAD}\n${sections.join("\n")}`
}

function countsOf(rows: readonly OperationEntry[]): string {
  const counts = new Map<string, number>()
  for (const { operation } of rows) counts.set(operation, (counts.get(operation) ?? 0) + 1)
  const parts = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([operation, count]) => `${count} ${operation}`)
  return `${rows.length} methods: ${parts.join(", ")}.`
}

function toRow({ name, verb, path, provider, operation, reason }: OperationEntry): string {
  const billed = reason === undefined ? BILLED[operation] : `${BILLED[operation]}: ${reason}`
  return `| ${name} | \`${verb} ${path}\` | ${provider ?? "named only"} | ${operation} | ${billed} |`
}

const HEAD = `# Operations

<!-- Generated by scripts/operations-table.mjs. Do not edit this page. -->

This page lists every method of the official SDKs and what the gateway makes of its request. Only the operations that are
listed here as \`free\`, \`stored\` or \`job\` cost 0. The gateway compares the HTTP method and the whole path: a trailing
slash, a dot segment or an unknown sub-path is never free. An answer that reports usage is billed, whatever this page
says, unless it only shows again what was billed before (\`stored\`).

An \`unknown\` operation is billed by the usage in its answer. Without usage its row is \`unpriced\`, and its cost is NULL.
`
