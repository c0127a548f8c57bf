import { limits } from "../../api/routes/limits.ts"
import { outlook } from "../../api/routes/outlook.ts"
import { reconciliations } from "../../api/routes/reconciliations.ts"
import { defineTool } from "../_tool.ts"
import { wholeIn, wholeList } from "../paging.ts"
import { count, inUsd, listed, quote } from "../words.ts"

/** The questions about budgets, what is to come, and the bills of providers. */
export const outlookTools = [
  defineTool({
    name: "forecast",
    title: "Forecast of a month",
    description:
      "What a month will have cost at its end: the cost to date, the forecast, and the range in which it probably ends (low to high), by the pattern of the last weeks. month is this month unless it is given. Filters choose the requests. USD as exact decimal text; a forecast of null means that too little is known, and notes say what.",
    route: outlook.forecast,
    summarize({ since, until, to_date: toDate, forecast, low, high }) {
      const expected = forecast === null ? "there is no forecast" : `forecast $${forecast} ($${low} to $${high})`
      return `The month from ${since} to ${until}: ${inUsd(toDate)} to date, ${expected}.`
    },
  }),
  defineTool({
    name: "limits",
    title: "Budgets and limits",
    description:
      "All budgets and rate limits, each with what it allows (summary), what is used, reserved and remaining, and when it resets. The unit is that of measure: USD for cost, else a number. With key, only those that apply to all requests of this API key. Of a limit with per, it shows the value that has used most.",
    route: limits.list,
    paging: { noun: "limits", initial: 50, max: 200, wrap: "limits", read: wholeList("limits") },
    summarize(answer) {
      const { limits: all } = answer as unknown as { limits: readonly { name: string; amount: string; used: string }[] }
      const over = all.filter(({ amount, used }) => Number(used) >= Number(amount)).map(({ name }) => quote(name))
      const note = over.length === 0 ? "" : ` Used up: ${over.slice(0, 5).join(", ")}.`
      return `${listed(all, "limit", answer.next)}${note}`
    },
  }),
  defineTool({
    name: "reconcile",
    title: "Bills compared with records",
    description:
      "The last comparison of the providers' bills with what the gateway recorded: billed, recorded, and the causes of the difference with their amounts, which add up to billed - recorded, with advice. Use it for why a bill differs. The period is the last 30 UTC days unless it is given. It reads stored comparisons and asks no provider; settling means that the provider may still add to the bill.",
    route: reconciliations.list,
    paging: { noun: "providers", initial: 10, max: 50, read: wholeIn("providers") },
    // The sums and causes of the whole period say what those of each day say.
    toAnswer: ({ providers, ...rest }) => ({ ...rest, providers: providers.map((each) => ({ ...each, days: [] })) }),
    summarize({ providers, configured }) {
      if (providers.length === 0) {
        const can = configured.length === 0 ? "no provider" : configured.join(", ")
        return `There is no stored comparison in the period. The gateway can read the bills of ${can}.`
      }
      return providers
        .map(({ provider, billed, recorded, causes, within_tolerance: isWithin }) => {
          const state = isWithin ? "within the tolerance" : "beyond the tolerance"
          return `${quote(provider)}: billed $${billed}, recorded $${recorded}, ${state}, ${count(causes.length, "cause")}.`
        })
        .join("\n")
    },
  }),
  defineTool({
    name: "what_if",
    title: "The same tokens with another model",
    description:
      'What the same tokens would have cost with another model: model takes "old=new", such as gpt-5=gpt-5-mini. It computes with the tokens that were used; another model would have used others. The period is the last 30 days unless it is given. not_priced has the requests that are in no sum, and why.',
    route: outlook.whatIf,
    paging: { noun: "rows", initial: 25, max: 200, read: wholeIn("rows", "not_priced") },
    summarize: ({ from, to, total }) =>
      `${count(total.requests, "request")} with ${quote(from)} cost $${total.total_cost}, and would have cost $${total.what_if_cost} with ${quote(to)} (difference $${total.difference}).`,
  }),
]
