import { z } from "zod"
import { listConfigured } from "../../config/billing-credentials.ts"
import { CAUSES } from "../../core/reconciliation.ts"
import { parseDays } from "../../operations/reconcile/days.ts"
import { fixPrice } from "../../operations/reconcile/fix.ts"
import { getReconciliations } from "../../operations/reconcile/history.ts"
import { importBill } from "../../operations/reconcile/import.ts"
import { toReconciliationObject } from "../../operations/reconcile/json.ts"
import { reconcile } from "../../operations/reconcile/reconcile.ts"
import { defineRoute, FROM_REPLICA } from "../_route.ts"
import { repricedModel } from "./prices.ts"

const usd = (what: string) => z.string().describe(`${what}, in USD as an exact decimal`)
const optionalText = z.string().nullable()

const cause = z.object({
  cause: z.enum(CAUSES),
  amount: usd("its part of billed - recorded"),
  model: optionalText,
  tier: optionalText,
  bucket: optionalText.describe("what is paid for, such as input, cache_read or output"),
  key: optionalText.describe("the provider's id of its API key"),
  project: optionalText.describe("the provider's id of the project or workspace"),
  requests: z.number().nullable(),
  days: z.array(z.string()).readonly().describe("the UTC days on which it was found"),
  detail: z.string().describe("what was found"),
  advice: optionalText.describe("what to do about it"),
  rate: z
    .object({ billed: z.string(), recorded: optionalText, source: optionalText, date: optionalText })
    .nullable()
    .describe("for a price: USD per million tokens that the bill implies, and that the gateway used"),
})

const causes = z.array(cause).readonly()
const sides = {
  billed: usd("what the provider billed"),
  recorded: usd("what the gateway recorded"),
  settling: z.boolean().describe("the provider may still add to it (reconcile.settle)"),
  causes: causes.describe("their amounts add up to billed - recorded"),
}

const reconciliation = z.object({
  provider: z.string(),
  account: optionalText.describe("as the provider names it"),
  since: z.string().describe("the first UTC day"),
  until: z.string().describe("the day after the last one"),
  source: z.enum(["api", "legacy-api", "import"]),
  fetched_at: z.string().describe("when the bill was read, ISO 8601"),
  ...sides,
  excess: usd("what is outside, in prices, in token counts or unexplained on settled days"),
  tolerated: usd("how much of that reconcile.alert_above tolerates"),
  within_tolerance: z.boolean(),
  days: z
    .array(
      z.object({
        day: z.string(),
        ...sides,
        difference: usd("billed - recorded"),
        totals: z.array(z.object({ cause: z.enum(CAUSES), amount: usd("the sum of the cause") })).readonly(),
      }),
    )
    .readonly(),
  notes: z.array(z.string()).readonly().describe("what the source of the bill could not say"),
})

const result = z.object({
  since: z.string().describe("the first UTC day"),
  until: z.string().describe("the day after the last one"),
  providers: z.array(reconciliation).readonly(),
})

const DAYS = {
  since: z.string().optional().describe("from this UTC day on: 7d, 2026-11-01, today or month (default: 30d)"),
  until: z.string().optional().describe("up to and with this UTC day"),
  period: z.string().optional().describe("a calendar period by its name, such as last-month or 2026-Q3"),
  month: z.string().optional().describe("a calendar month such as 2026-11, in place of since and until"),
}
const PROVIDER = z.string().optional().describe("only this provider")
const column = (what: string) => z.string().optional().describe(`the title of the column with ${what}`)

export const reconciliations = {
  list: defineRoute({
    name: "reconcile.history",
    method: "GET",
    path: "/reconciliations",
    role: "viewer",
    summary: "the stored comparisons of bills with what was recorded",
    input: z.strictObject({ provider: PROVIDER, ...DAYS }),
    output: result.extend({
      configured: z.array(z.string()).readonly().describe("the providers whose bills the gateway can read itself"),
    }),
    ...FROM_REPLICA,
    parse: ({ provider, ...days }, now) => ({ provider, days: parseDays(days, now) }),
    async run(context, input) {
      const { settings } = context
      const stored = await getReconciliations(context, input)
      const providers = stored.map((each) => toReconciliationObject(each, settings.reconcile.alertAbove))
      return { ...input.days, configured: listConfigured(settings), providers }
    },
  }),
  run: defineRoute({
    name: "reconcile",
    method: "POST",
    path: "/reconciliations",
    role: "admin",
    summary: "read the bills of providers, compare them with what was recorded, and store the result",
    input: z.strictObject({ provider: PROVIDER, ...DAYS }),
    output: result.extend({
      failed: z
        .array(z.object({ provider: z.string(), reason: z.string(), message: z.string() }))
        .readonly()
        .describe("the providers whose bills could not be read"),
    }),
    needs: ["database"],
    parse: ({ provider, ...days }, now) => ({ provider, days: parseDays(days, now) }),
    async run(context, input) {
      const { reconciliations: done, failed } = await reconcile(context, input)
      const { alertAbove } = context.settings.reconcile
      return { ...input.days, providers: done.map((each) => toReconciliationObject(each, alertAbove)), failed }
    },
  }),
  import: defineRoute({
    name: "reconcile.import",
    method: "POST",
    path: "/reconciliations/import",
    role: "admin",
    summary: "read a bill from a file (CSV), store its lines, and compare them with what was recorded",
    input: z.strictObject({
      provider: z.string().min(1).describe("the provider whose bill it is, as reports name it"),
      format: z
        .enum(["auto", "google", "aws-cur", "aws-cost-explorer", "azure", "openai", "anthropic", "generic"])
        .default("auto"),
      rate: z.string().optional().describe("USD for one unit of the file's currency, if that is another one"),
      date: column("the day"),
      model: column("the model"),
      cost: column("the cost"),
      tokens: column("the number of tokens"),
      bucket: column("what is paid for, such as input or output"),
      tier: column("the service tier"),
      key: column("the provider's id of its API key"),
      project: column("the provider's id of the project"),
      requests: column("the number of requests"),
      currency: column("the currency"),
    }),
    output: reconciliation,
    needs: ["database", "file"],
    async run(context, { provider, format, rate, ...columns }) {
      const { now } = context
      const imported = await importBill(context, {
        provider,
        format,
        columns,
        now,
        ...(rate !== undefined && { rate }),
      })
      return toReconciliationObject(imported, context.settings.reconcile.alertAbove)
    },
  }),
  fix: defineRoute({
    name: "reconcile.fix",
    method: "POST",
    path: "/reconciliations/fix",
    role: "admin",
    summary: "set the prices that the stored comparisons say the provider has billed, and price the requests again",
    input: z.strictObject({
      provider: z.string().describe("the provider"),
      model: z.string().describe("the model, as the bill names it"),
      ...DAYS,
      dry_run: z.boolean().default(false).describe("say what would change, and change nothing"),
    }),
    output: z.object({
      dry_run: z.boolean(),
      prices: z
        .array(
          z.object({
            model: z.string(),
            provider: z.string(),
            from: z.string().describe("the first UTC day on which it was billed"),
            rates: z.record(z.string(), z.string()).readonly().describe("USD per million tokens"),
          }),
        )
        .readonly(),
      models: z.array(repricedModel).readonly().describe("what the requests cost before and after"),
    }),
    needs: ["database", "prices"],
    parse: ({ provider, model, dry_run: dryRun, ...days }, now) => ({
      provider,
      model,
      dryRun,
      days: parseDays(days, now),
    }),
    run: (context, input) => fixPrice(context, input),
  }),
}
