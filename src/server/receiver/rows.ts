import type { Caller } from "../../core/call.ts"
import type { Billing, Cost, PriceQuery } from "../../core/cost.ts"
import type { LogRecord } from "../../core/log-record.ts"
import { type AttributionSettings, createAttribution } from "../../gateway/attribution/attribute.ts"
import { createCounters } from "../../gateway/counters.ts"
import { ModelNames } from "../../gateway/model-names.ts"
import type { ReportedUsage } from "../../telemetry/receive/read-logs.ts"

interface RowOptions {
  readonly attribution: AttributionSettings
  readonly maxMetadataKeys: number
  readonly maxMetadataValueLength: number
  price(query: PriceQuery): Cost
  /** How a provider is paid, as the settings say. */
  billingOf(provider: string): "api" | Billing | undefined
  now(): number
}

/** The request that brought reports. */
export interface ReportSource {
  readonly caller: Caller
  readonly rawHeaders: readonly string[]
  readonly path: string
}

/** Returns a text as node gives header values: on one line, and its UTF-8 as latin1. */
function toHeaderValue(text: string): string {
  return Buffer.from(text.replace(/\p{Cc}+/gu, " ")).toString("latin1")
}

/**
 * Creates the function that returns the row of a report. The rules for metadata and for the number of models are those of
 * relayed requests, so that both are in the same groups of reports.
 */
export async function createReportRows(options: RowOptions) {
  const { toReading, toReportRow } = await import("../../telemetry/receive/report-row.ts")
  const { toReportedMetadata } = await import("../../telemetry/receive/metadata.ts")
  const attribute = createAttribution(options, createCounters())
  const names = new ModelNames()
  return ({ usage, resource }: ReportedUsage, { caller, rawHeaders, path }: ReportSource): LogRecord => {
    const now = options.now()
    const reading = toReading(usage)
    const at = Math.min(usage.endedAt - usage.durationMs, now)
    const cost = options.price({
      provider: usage.provider,
      requestedModel: undefined,
      reading,
      at,
      keyDiscountFactor: caller.discountFactor,
    })
    // Headers of the report itself count before what its resource says.
    const own = new Set(rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()))
    const reported = toReportedMetadata(usage, resource)
      .map(([name, value]) => [`X-Majordomo-${name}`, toHeaderValue(value)] as const)
      .filter(([name]) => !own.has(name.toLowerCase()))
    const metadata = attribute(
      { rawHeaders: [...rawHeaders, ...reported.flat()], headers: { "user-agent": usage.client } },
      { user: usage.user, session: usage.session },
      caller.metadata,
    )
    const paid = options.billingOf(usage.provider) ?? usage.billing
    const billing = paid === "subscription" ? paid : undefined
    const model = names.limit(usage.model, { statusCode: 200, respondedAt: now })
    return toReportRow({ usage, reading, cost, caller, metadata, model, billing, path, now })
  }
}
