/** Where rates of our own were read, and the day or month of that source; undefined if it is not known. */
interface Origin {
  readonly where: string
  readonly day: string | undefined
}

/**
 * The origins of all rates, fees and multipliers of our own. Each of them names one, and `ORIGINS.md` lists them. A rate
 * from an origin without a day makes a row estimated.
 */
export const ORIGINS = {
  openai2025: {
    where:
      "OpenAI's price page between the releases of o3-deep-research and GPT-5, copied in dakota-jamie-sims/OpenAI-Learning-Center-Agent",
    day: "2025-07",
  },
  openaiBatch: {
    where: "OpenAI's price page of 2026-03-10, copied in karstenheld3/SharePoint-GPT-Middleware",
    day: "2026-03-10",
  },
  openaiModels: {
    where: "OpenAI's model pages (developers.openai.com/api/docs/models), stored copies",
    day: "2026-11-28",
  },
  openaiPriority: {
    where:
      "openai.com/api-priority-processing, stored copy of autumn 2026, and LiteLLM's map of 2026-07-24 in Wei-Shaw/model-price-repo",
    day: "2026-07-24",
  },
  litellmPriority: {
    where:
      "LiteLLM's map of 2026-07-24 in Wei-Shaw/model-price-repo, and langfuse's default-model-prices.json of 2026-08-20",
    day: "2026-07-24",
  },
  astraPriority: {
    where: "steipete/CodexBar#3427 after OpenAI's table of 2026-09-04, Vercel's list, and LiteLLM's map 1.110.2",
    day: "2026-09-04",
  },
  gpt6Priority: {
    where: "amine123max/Codex-Manager 0.4.6 after OpenAI's pricing, and LiteLLM's map 1.110.2",
    day: "2026-09-23",
  },
  litellm2026: { where: "LiteLLM's map 1.110.2, and a second list that the code names", day: "2026-11-20" },
  litellmAlone: { where: "LiteLLM's map 1.110.2 alone", day: undefined },
  openaiSora: {
    where: "developers.openai.com/api/docs/models/sora-2, stored copy after its end on 2026-09-24",
    day: "2026-11-28",
  },
  openaiRegions: {
    where: "OpenAI's price page, read by api-evangelist/openai: 10 % for data residency",
    day: "2026-05-04",
  },
  anthropic2026: {
    where: "platform.claude.com/docs/en/about-claude/pricing and /docs/en/build-with-claude/fast-mode, stored copies",
    day: "2026-11-28",
  },
  cloudRegions: {
    where:
      "platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai and claude-on-amazon-bedrock, stored copies: regional and multi-region endpoints cost 10 % more since Claude Sonnet 4.5",
    day: "2026-11-28",
  },
  vertexGemini: {
    where: "LiteLLM's map 1.110.2 and BerriAI/litellm#37543 alone: 10 % more in a region; Google's page was not read",
    day: undefined,
  },
  vertexOldGemini: {
    where: "LiteLLM's map 1.110.2, which has no rise in a region, and genai-prices, which has one price",
    day: "2026-11-20",
  },
  anthropicFast: {
    where:
      "OpenRouter's pages of the fast models; for Opus 4.8 and 5.5 LiteLLM's map 1.110.2 and TheKrush/PromptFuel v1.0.21",
    day: "2026-11-28",
  },
  llmPrices: { where: "llm-prices.com and genai-prices, under another name", day: "2026-08-05" },
  googlePage: {
    where: "ai.google.dev/gemini-api/docs/pricing, quoted by api-evangelist/deepmind and others",
    day: "2026-10-07",
  },
  googlePage2025: {
    where: "ai.google.dev/gemini-api/docs/pricing of autumn 2025, in copies that list Imagen 4, Veo 3 and Veo 3.1",
    day: "2025-10",
  },
  googleTiers: {
    where: "ai.google.dev/gemini-api/docs/optimization: flex and batch cost half, stored copy",
    day: "2026-11-28",
  },
  geminiPriority: {
    where: "genai-prices' comments on 3.7 and 3.8, LiteLLM's map 1.110.2; Google: 75 % to 100 % more",
    day: "2026-11-20",
  },
  azureBatch: {
    where: "learn.microsoft.com on batch and flex: half of global standard, stored copies",
    day: "2026-11-28",
  },
  searchFees: {
    where: "modelcostwatch.com of 2026-03-12, community.openai.com/t/1363698, BerriAI/litellm#31316",
    day: "2026-03-12",
  },
  searchModels: { where: "a copy of new-api's tools.go: 0.025; OpenRouter's page: 0.035", day: "2026-11-28" },
  anthropicSearch: { where: "genai-prices; BerriAI/litellm#27621", day: "2026-09-23" },
  mapsFees: { where: "release notes of iyulab/TokenMeter 0.14.0; discuss.ai.google.dev/t/128770", day: "2026-11-28" },
  o3Price: { where: "RooCodeInc/Roo-Code#2691 after OpenAI's model page; langfuse/langfuse#7223", day: "2025-04-17" },
  haikuCut: {
    where: "aiwiki.ai/wiki/claude_3_5_haiku: cut about a month after 2024-11-04; the day was not read",
    day: undefined,
  },
  remembered: { where: "the provider's list as remembered; it was not read again", day: undefined },
  azureAsOpenai: { where: "OpenAI's fee; Azure's page shows no price without a region", day: undefined },
  none: { where: "no source was found", day: undefined },
} as const satisfies Readonly<Record<string, Origin>>

export type OriginName = keyof typeof ORIGINS

/** Returns why a rate may be wrong by its origin; undefined if the origin is dated. */
export function doubtOfOrigin(what: string, origin: OriginName): string | undefined {
  const { where, day } = ORIGINS[origin]
  return day === undefined ? `${what} is from no dated source: ${where}` : undefined
}
