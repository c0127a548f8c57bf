import { formatDecimal, multiply, parseDecimal } from "../../src/core/decimal.ts"
import type {
  Bucket,
  RecordedKind,
  RecordedLine,
  RecordedRequests,
  RecordedSide,
} from "../../src/core/reconciliation.ts"
import type { BillingProvider, Rates } from "../support/billing-provider.ts"

const DAY = "2026-11-09"
const NOON = Date.parse(`${DAY}T12:00:00Z`)

/** USD per million tokens that the provider of the examples bills, beside those that it has anyway. */
export const EXAMPLE_RATES: Rates = {
  "gpt-5.5": { input: "5", cache_read: "0.25", output: "30", tool: "10000" },
  "gpt-5-mini": { input: "0.25", output: "2" },
}

/** Requests that passed through the gateway, as it recorded them. */
interface Recorded {
  readonly model: string
  readonly requests: number
  /** Tokens of each bucket, and the rates that the gateway used. */
  readonly used: Partial<Record<Bucket, readonly [tokens: number, rate: string]>>
  readonly kind?: RecordedKind
  /** Where the rates are from. */
  readonly source?: string
  readonly date?: string
}

/** One example of the page: what the provider served and billed, and what the gateway recorded of it. */
export interface Example {
  readonly provider: "openai" | "anthropic"
  readonly bill: (provider: BillingProvider) => void
  readonly recorded: readonly Recorded[]
}

type Quantities = Partial<Record<Bucket, number>>

const serve = (
  model: string,
  quantities: Quantities,
  more: { key?: string; project?: string; requests?: number } = {},
) => ({
  provider: model.startsWith("claude") ? ("anthropic" as const) : ("openai" as const),
  at: NOON,
  model,
  quantities,
  ...more,
})

export const EXAMPLES: Readonly<Record<string, Example>> = {
  start: {
    provider: "openai",
    bill: (provider) => {
      provider.serve(serve("gpt-5.5", { input: 239_362_000, cache_read: 9_680_000 }, { requests: 4_120 }))
      const outside = { key: "key_4f2a", project: "evals", requests: 312 }
      provider.serve(serve("gpt-5-mini", { input: 8_400_000, output: 1_500_000 }, outside))
    },
    recorded: [
      {
        model: "gpt-5.5",
        requests: 4_120,
        used: { input: [239_362_000, "5"], cache_read: [9_680_000, "0.125"] },
        source: "llm-prices.com",
        date: "2026-10-30",
      },
    ],
  },
  outside: {
    provider: "openai",
    bill: (provider) => {
      provider.serve(serve("gpt-5.5", { input: 2_000_000, output: 100_000 }, { requests: 80 }))
      provider.serve(serve("gpt-5-mini", { input: 8_400_000 }, { key: "key_4f2a", project: "evals", requests: 312 }))
    },
    recorded: [{ model: "gpt-5.5", requests: 80, used: { input: [2_000_000, "5"], output: [100_000, "30"] } }],
  },
  unmetered: {
    provider: "openai",
    bill: (provider) => {
      provider.serve(serve("gpt-5.5", { input: 2_060_000, output: 104_000 }, { requests: 83 }))
    },
    recorded: [
      { model: "gpt-5.5", requests: 80, used: { input: [2_000_000, "5"], output: [100_000, "30"] } },
      { model: "gpt-5.5", requests: 3, used: {}, kind: "cut_off" },
    ],
  },
  estimated: {
    provider: "openai",
    bill: (provider) => {
      provider.serve(serve("gpt-5.5", { input: 2_060_000, output: 104_000 }, { requests: 83 }))
    },
    recorded: [
      { model: "gpt-5.5", requests: 80, used: { input: [2_000_000, "5"], output: [100_000, "30"] } },
      { model: "gpt-5.5", requests: 3, used: { input: [60_000, "5"], output: [3_700, "30"] }, kind: "estimated" },
    ],
  },
  tokens: {
    provider: "openai",
    bill: (provider) => {
      provider.serve(serve("gpt-5.5", { input: 2_000_000, output: 100_512 }, { requests: 80 }))
    },
    recorded: [{ model: "gpt-5.5", requests: 80, used: { input: [2_000_000, "5"], output: [100_000, "30"] } }],
  },
  price: {
    provider: "openai",
    bill: (provider) => {
      provider.serve(serve("gpt-5.5", { input: 2_000_000, cache_read: 9_680_000 }, { requests: 80 }))
    },
    recorded: [
      {
        model: "gpt-5.5",
        requests: 80,
        used: { input: [2_000_000, "5"], cache_read: [9_680_000, "0.125"] },
        source: "llm-prices.com",
        date: "2026-10-30",
      },
    ],
  },
  discount: {
    provider: "anthropic",
    bill: (provider) => {
      provider.books.discounts.anthropic = "0.1"
      provider.serve(serve("claude-sonnet-4-5", { input: 2_000_000, output: 200_000 }, { requests: 40 }))
    },
    recorded: [
      { model: "claude-sonnet-4-5", requests: 40, used: { input: [2_000_000, "3"], output: [200_000, "15"] } },
    ],
  },
  credit: {
    provider: "openai",
    bill: (provider) => {
      provider.serve(serve("gpt-5.5", { input: 2_000_000 }, { requests: 80 }))
      provider.charge({ provider: "openai", at: NOON, item: "promotional credit", amount: "-2.5" })
    },
    recorded: [{ model: "gpt-5.5", requests: 80, used: { input: [2_000_000, "5"] } }],
  },
  fees: {
    provider: "openai",
    bill: (provider) => {
      provider.serve(serve("gpt-5.5", { input: 2_000_000, tool: 40 }, { requests: 80 }))
      provider.charge({ provider: "openai", at: NOON, item: "vector store storage", amount: "0.35" })
    },
    recorded: [{ model: "gpt-5.5", requests: 80, used: { input: [2_000_000, "5"], tool: [40, "0.01"] } }],
  },
  unexplained: {
    provider: "openai",
    bill: (provider) => {
      provider.serve(serve("gpt-5.5", { input: 2_000_000 }, { requests: 80 }))
      provider.charge({ provider: "openai", at: NOON, item: "fine-tuned models hosting", amount: "1.75" })
    },
    recorded: [{ model: "gpt-5.5", requests: 80, used: { input: [2_000_000, "5"] } }],
  },
}

/** Returns what the gateway recorded in an example. */
export function toRecordedSide({ provider, recorded }: Example): RecordedSide {
  const lines: RecordedLine[] = []
  const requests: RecordedRequests[] = []
  for (const { model, requests: count, used, kind = "metered", source = "genai-prices", date } of recorded) {
    const group = { day: DAY, began: DAY, model, tier: "standard", credential: "app", kind }
    requests.push({ ...group, requests: count })
    for (const [bucket, [quantity, rate]] of Object.entries(used) as [Bucket, readonly [number, string]][]) {
      const per = bucket === "tool" ? "one" : "million"
      const cost = multiply(parseDecimal(String(quantity)), parseDecimal(rate)) / (per === "one" ? 1n : 1_000_000n)
      lines.push({
        ...group,
        ...{ bucket, quantity: String(quantity), per, rate, discount: "1", cost: formatDecimal(cost), source, date },
      })
    }
  }
  return { provider, lines, requests }
}
