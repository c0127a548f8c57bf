/** A task that a person can choose in a program that shows prompts. */
interface Prompt {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly arguments: { name: string; description: string; required: boolean }[]
  toText(values: Readonly<Record<string, string>>): string
}

export const PROMPTS: readonly Prompt[] = [
  {
    name: "monthly_cost_review",
    title: "Review the cost of a month",
    description: "What a month cost, what changed against the month before, who spent it, and what needs attention",
    arguments: [{ name: "month", description: "such as 2026-10; the last month unless it is given", required: false }],
    toText: ({ month = "last-month" }) =>
      [
        `Review the LLM cost of the month ${JSON.stringify(month)}. Ask the tools of majordomo-gateway in this order, each with month=${JSON.stringify(month)}:`,
        "1. usage_summary with compare=previous: the total, and the change against the month before.",
        "2. usage_by_model and usage_by_api_key with compare=previous: which models and keys explain the change.",
        "3. list_metadata_keys, then usage_by_metadata for the names that say who spent it, such as Team, Feature or User-Id.",
        "4. reconcile: whether the bills of the providers agree, and the causes of differences.",
        "5. unpriced_models, and error_summary: what is not in the cost, and what was paid for errors.",
        "6. limits, and for the current month forecast: which budgets are nearly used up.",
        "Write a page for a person who pays the bill: the total first, then the three biggest changes with their amounts, then what to do. Give every amount as the tools do, and say which amounts are estimated or not known.",
      ].join("\n"),
  },
]
