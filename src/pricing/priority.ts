/**
 * The price of OpenAI's priority tier as a multiple of the list price, by model of the catalog. It is the same for
 * input, cached input and output. A multiple that is not a short decimal (gpt-4o-mini: 0.15 to 0.25 USD) has 18 digits,
 * more than the rounding of a line can show. The price of a model that is not in the table is marked as estimated.
 *
 * The sources are second-hand. litellm's price map agrees for GPT-5, 5.1 codex mini, 5.3, 5.4 and 5.6. For gpt-5.5 it has
 * 2, where models.dev and others have 2.5. gpt-4o is as in BerriAI/litellm#37046. The other GPT-4, o3 and o4-mini rows
 * are OpenAI's list as remembered; it was not read again. openai.com/API-fast-mode (November 2026) confirms GPT-5.6, with
 * long context, and 5.5, 5.4 and 5.2. GPT-6 Astra: steipete/CodexBar#3427, after OpenAI's price table of 2026-09-04, and
 * Vercel's list. GPT-6 Sol and Luna: amine123max/Codex-Manager 0.4.6 of 2026-09-23, after OpenAI's pricing, and LiteLLM's map.
 */
export const PRIORITY: Readonly<Record<string, string>> = {
  "gpt-4.1": "1.75",
  "gpt-4.1-mini": "1.75",
  "gpt-4.1-nano": "2",
  "gpt-4o": "1.7",
  "gpt-4o-2024-05-13": "1.75",
  "gpt-4o-mini": "1.666666666666666667",
  "gpt-5": "2",
  "gpt-5-mini": "1.8",
  "gpt-5.1": "2",
  "gpt-5.1-codex-mini": "1.8",
  "gpt-5.2": "2",
  "gpt-5.3": "2",
  "gpt-5.3-codex": "2",
  "gpt-5.4": "2",
  "gpt-5.4-mini": "2",
  "gpt-5.5": "2.5",
  "gpt-5.6-luna": "2",
  "gpt-5.6-sol": "2",
  "gpt-5.6-terra": "2",
  "gpt-6-astra": "2",
  "gpt-6-luna": "2",
  "gpt-6-sol": "2",
  o3: "1.75",
  "o4-mini": "1.818181818181818182",
}

/**
 * The price of OpenAI's ultrafast tier as a multiple of the list price. GPT-6 Astra: Vercel's changelog ("billed at 6× the
 * standard per-token rate") and LiteLLM's map, both of autumn 2026.
 */
export const ULTRAFAST: Readonly<Record<string, string>> = { "gpt-6-astra": "6" }
