import { priceOverrides } from "../../api/routes/price-overrides.ts"
import { CommandError } from "../../core/errors.ts"
import type { Override } from "../../operations/prices/override.ts"
import { listValues } from "../_args.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { print, printJson } from "../_print.ts"
import { printable } from "../_text.ts"
import { describeOverride, OVERRIDDEN } from "./_overrides.ts"

const USD = { type: "string", valueHint: "USD" } as const

export default defineCommand({
  meta: { name: "set", description: "set the price of a model, for all gateways of the database" },
  args: {
    ...OVERRIDDEN,
    input: { ...USD, description: "USD per million tokens of input" },
    output: { ...USD, description: "USD per million tokens of output" },
    "cache-read": { ...USD, description: "USD per million tokens that are read from the cache" },
    "cache-write": { ...USD, description: "USD per million tokens that are written to the cache" },
    rate: {
      type: "string",
      valueHint: "NAME=USD",
      description: "any other rate as pricing get names it, such as web_searches=0.01",
      isRepeatable: true,
    },
    from: {
      type: "string",
      valueHint: "DATE",
      description: "the first day on which it applies, in UTC (default: from the beginning)",
    },
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway pricing set my-model --input 0.5 --output 1.25",
    "majordomo-gateway pricing set gpt-4o --provider azure --input 2.2 --cache-read 1.1 --from 2026-12-01",
  ],
  async run({ args, rawArgs }) {
    const { model, provider, from, input, output, "cache-read": cacheRead, "cache-write": cacheWrite } = args
    const given = { input, output, cache_read: cacheRead, cache_write: cacheWrite }
    const rates = Object.fromEntries(
      [...Object.entries(given), ...listValues("rate", rawArgs).map(parseRate)].filter(([, usd]) => usd !== undefined),
    )
    const set = await call(args, priceOverrides.set, { model, provider, from, rates })
    if (args.json) printJson(set)
    else print(announce(set))
  },
})

function parseRate(text: string): readonly [name: string, usd: string] {
  const [, name, usd] = /^(\w+)=(.+)$/.exec(text) ?? []
  if (name !== undefined && usd !== undefined) return [name, usd]
  throw new CommandError(`--rate: expected NAME=USD, such as web_searches=0.01, got ${JSON.stringify(text)}`, 2)
}

function announce(set: Override): string {
  return `${printable(describeOverride(set))}
New requests are priced with it within seconds. Stored requests: majordomo-gateway pricing reprice --since ${set.from ?? "30d"} --dry-run`
}
