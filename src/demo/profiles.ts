import type { Billing } from "../core/cost.ts"

export const TEAMS = {
  support: { name: "Support", description: "the chat bot on the website" },
  engineering: { name: "Engineering", description: "code review and agents" },
  research: { name: "Research", description: "reports from many documents" },
  search: { name: "Search", description: "embeddings and ranking" },
} as const

export type Team = (typeof TEAMS)[keyof typeof TEAMS]

type Range = readonly [from: number, to: number]

/** A kind of request that a team makes regularly. */
export interface Profile {
  readonly team: keyof typeof TEAMS
  readonly feature: string
  /** The program that sends it, as the gateway names it. */
  readonly client: string
  readonly steps: readonly string[]
  readonly sessions: boolean
  readonly provider: string
  readonly path: string
  /** Who pays, if not the bill for tokens. */
  readonly billing?: Billing
  readonly model: string
  /** The model that the provider reports in its response. */
  readonly responseModel: string
  readonly streamed: boolean
  /** Requests on a working day. */
  readonly perDay: number
  readonly users: number
  /** All input tokens, and all output tokens. */
  readonly input: Range
  readonly output: Range
  /** The shares of the input that are read from and written to the provider's cache, and of reasoning in the output. */
  readonly cached: number
  readonly written: number
  readonly reasoning: number
}

const NONE = {
  client: "openai-python/2.9",
  steps: [],
  sessions: false,
  streamed: false,
  cached: 0,
  written: 0,
  reasoning: 0,
} as const
const CHAT = { ...NONE, provider: "openai", path: "/v1/chat/completions" } as const
const CLAUDE = { ...NONE, client: "claude-code/2.1", provider: "anthropic", path: "/v1/messages" } as const

export const PROFILES: readonly Profile[] = [
  {
    ...CHAT,
    team: "support",
    feature: "chat-bot",
    sessions: true,
    streamed: true,
    model: "gpt-4o-mini",
    responseModel: "gpt-4o-mini-2024-07-18",
    perDay: 34,
    users: 60,
    input: [600, 4_000],
    output: [60, 500],
    cached: 0.4,
  },
  {
    ...CHAT,
    team: "support",
    feature: "ticket-triage",
    client: "n8n",
    model: "gpt-5-mini",
    responseModel: "gpt-5-mini-2025-08-07",
    perDay: 12,
    users: 8,
    input: [400, 1_800],
    output: [150, 900],
    reasoning: 0.6,
  },
  {
    ...CLAUDE,
    team: "engineering",
    feature: "code-review",
    streamed: true,
    model: "claude-sonnet-4-6",
    responseModel: "claude-sonnet-4-6",
    perDay: 10,
    users: 14,
    input: [9_000, 60_000],
    output: [400, 2_500],
    cached: 0.8,
    written: 0.1,
  },
  {
    ...CLAUDE,
    team: "engineering",
    feature: "agent",
    steps: ["plan", "edit", "test", "summarize"],
    sessions: true,
    streamed: true,
    model: "claude-opus-4-6",
    responseModel: "claude-opus-4-6",
    perDay: 5,
    users: 6,
    input: [20_000, 110_000],
    output: [500, 4_000],
    cached: 0.85,
    written: 0.08,
    reasoning: 0.3,
  },
  {
    ...NONE,
    team: "research",
    feature: "reports",
    client: "google-genai-python/3.6",
    steps: ["search", "read", "write"],
    sessions: true,
    provider: "gemini",
    path: "/v1beta/models/gemini-2.5-flash:generateContent",
    model: "gemini-2.5-flash",
    responseModel: "gemini-2.5-flash",
    perDay: 14,
    users: 5,
    input: [5_000, 45_000],
    output: [300, 3_000],
    reasoning: 0.4,
  },
  {
    ...CHAT,
    team: "research",
    feature: "house-style",
    model: "ft:house-style-7b",
    responseModel: "ft:house-style-7b",
    perDay: 1,
    users: 3,
    input: [800, 2_000],
    output: [100, 600],
  },
  {
    ...NONE,
    team: "search",
    feature: "index",
    provider: "openai",
    path: "/v1/embeddings",
    model: "text-embedding-3-small",
    responseModel: "text-embedding-3-small",
    perDay: 18,
    users: 1,
    input: [2_000, 8_000],
    output: [0, 0],
  },
  {
    ...CLAUDE,
    team: "engineering",
    feature: "terminal",
    billing: "subscription",
    sessions: true,
    streamed: true,
    model: "claude-sonnet-4-6",
    responseModel: "claude-sonnet-4-6",
    perDay: 9,
    users: 4,
    input: [12_000, 80_000],
    output: [200, 1_800],
    cached: 0.9,
    written: 0.06,
  },
]
