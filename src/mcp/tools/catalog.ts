import { keys } from "../../api/routes/keys.ts"
import { metadata } from "../../api/routes/metadata.ts"
import { prices } from "../../api/routes/prices.ts"
import { status } from "../../api/routes/status.ts"
import { defineTool } from "../_tool.ts"
import { wholeList } from "../paging.ts"
import { count, listed, quote } from "../words.ts"

const whole = (field: string, noun: string) => ({ noun, initial: 50, max: 200, wrap: field, read: wholeList(field) })

/** The questions about what there is: names to ask by, prices, and the state of the gateway. */
export const catalogTools = [
  defineTool({
    name: "list_metadata_keys",
    title: "Metadata names",
    description:
      "The metadata names that requests carry, such as User-Id, Feature, Client or Session-Id, with the number of their requests and values. Use it to find the names for usage_by_metadata and for where.",
    route: metadata.list,
    paging: whole("names", "names"),
    summarize: (answer) => listed((answer as unknown as { names: readonly unknown[] }).names, "name", answer.next),
  }),
  defineTool({
    name: "list_api_keys",
    title: "API keys",
    description:
      "The API keys of the gateway, without their secrets: name, status, what they may use, their budgets, and when they were last used. Use it to find the name or id for the filter key. For what keys spent, use usage_by_api_key.",
    route: keys.list,
    paging: whole("keys", "keys"),
    summarize: (answer) => listed((answer as unknown as { keys: readonly unknown[] }).keys, "key", answer.next),
  }),
  defineTool({
    name: "model_price",
    title: "Price of a model",
    description:
      "What one model costs, at each provider that lists it: USD per million tokens, or for each piece, with the source and the date of every rate, and what other sources say.",
    route: prices.get,
    paging: whole("prices", "prices"),
    summarize: (answer) => listed((answer as unknown as { prices: readonly unknown[] }).prices, "price", answer.next),
  }),
  defineTool({
    name: "unpriced_models",
    title: "Models without a price",
    description:
      "The models of a period that have requests without a known price, so that costs do not include them, those with the most requests first. The period is the last 30 days unless since is given.",
    route: prices.unpriced,
    paging: whole("models", "models"),
    summarize: (answer) => listed((answer as unknown as { models: readonly unknown[] }).models, "model", answer.next),
  }),
  defineTool({
    name: "gateway_status",
    title: "State of the gateway",
    description:
      "Whether the gateways, their database, their journals and their price lists are well, and what needs attention (problems). Use it if numbers seem to be missing: rows that wait are not in any report yet.",
    route: status.get,
    summarize({ version, rows, problems }) {
      const first =
        problems.length === 0 ? "No problems." : `${count(problems.length, "problem")}: ${quote(problems[0])}.`
      return `Version ${version}. ${count(rows.waiting, "row")} waiting. ${first}`
    },
  }),
]
