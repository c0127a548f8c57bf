/**
 * The price of OpenAI's priority tier as a multiple of the list price, by model of the catalog. It is the same for
 * input, cached input and output. A multiple that is not a short decimal (gpt-4o-mini: 0.15 to 0.25 USD) has 18 digits,
 * more than the rounding of a line can show. The price of a model that is not in the table is marked as estimated.
 *
 * The sources are second-hand. litellm's price map agrees for GPT-5, 5.1 codex mini, 5.3, 5.4 and 5.6. For gpt-5.5 it
 * has 2, where models.dev and others have 2.5. gpt-4o is as in BerriAI/litellm#37046. The other GPT-4, o3 and o4-mini
 * rows are quoted from memory of OpenAI's list.
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
  o3: "1.75",
  "o4-mini": "1.818181818181818182",
}
