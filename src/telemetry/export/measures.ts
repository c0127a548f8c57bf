import { CostTotal } from "../../core/cost-total.ts"
import type { LogRecord } from "../../core/log-record.ts"
import type { Attribute } from "../otlp/attributes.ts"
import type { Message } from "../otlp/wire.ts"
import { toLateOperation, toOperation, toProviderName } from "./operation.ts"
import { createHistograms, createSeries } from "./series.ts"

/** The buckets that the GenAI conventions give: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/ */
const TOKEN_BOUNDS = Array.from({ length: 14 }, (_, i) => 4 ** i)
const SECOND_BOUNDS = Array.from({ length: 14 }, (_, i) => Number((0.01 * 2 ** i).toFixed(2)))
const CUMULATIVE = 2

/** The metrics of all requests since the process has started. */
export interface Measures {
  add(record: LogRecord): void
  /** Adds the usage and the cost of a request that became known later. How long it took is not known. */
  addLate(record: LogRecord): void
  /** Returns the metrics in OTLP's JSON, with all values since the start; undefined: there are none yet. */
  collect(nowMs: number): readonly Message[] | undefined
}

interface CostPoint {
  readonly attributes: readonly Attribute[]
  readonly total: CostTotal
}

/** Creates the metrics of the GenAI conventions and `majordomo.cost`. Costs are added up exactly. */
export function createMeasures(startedAt: number): Measures {
  const tokens = createHistograms(TOKEN_BOUNDS)
  const durations = createHistograms(SECOND_BOUNDS)
  const costs = createSeries<CostPoint>((attributes) => ({ attributes, total: new CostTotal() }))

  function addUsage(record: LogRecord, operation: string): void {
    const key = toKey(record, operation)
    const values = () => toValues(record, operation)
    if (record.usage_source !== "none") {
      const ofType = (type: string) => () => ({ ...values(), "gen_ai.token.type": type })
      tokens.observe(`${key}input`, ofType("input"), record.input_tokens)
      tokens.observe(`${key}output`, ofType("output"), record.output_tokens)
    }
    if (record.total_cost === undefined || record.billing === "subscription") return
    const status = record.cost_status
    const cost = costs.find(key + status, () => ({ ...values(), "majordomo.cost.status": status }))
    cost.total.add(record.total_cost)
  }

  return {
    add(record) {
      const operation = toOperation(record.request_path, record.request_method, record.transport === "websocket")
      if (operation === undefined) return
      const error = record.status_code >= 400 ? String(record.status_code) : undefined
      const values = () => ({ ...toValues(record, operation), "error.type": error })
      durations.observe(toKey(record, operation) + (error ?? ""), values, record.response_time_ms / 1000)
      addUsage(record, operation)
    },
    addLate: (record) => addUsage(record, toLateOperation(record.request_path)),
    collect(nowMs) {
      if (durations.isEmpty && tokens.isEmpty && costs.points.size === 0) return undefined
      const times = { startTimeUnixNano: `${startedAt}000000`, timeUnixNano: `${nowMs}000000` }
      const timed = <Point extends object>(points: readonly Point[]) => points.map((point) => ({ ...times, ...point }))
      const histogram = (points: readonly object[]) => ({
        aggregationTemporality: CUMULATIVE,
        dataPoints: timed(points),
      })
      const costPoints = [...costs.points.values()].map(({ attributes, total }) => ({
        attributes,
        asDouble: Number(total.toDecimal()),
      }))
      const sum = { aggregationTemporality: CUMULATIVE, isMonotonic: true, dataPoints: timed(costPoints) }
      return [
        ...(durations.isEmpty ? [] : [{ ...NAMES.duration, histogram: histogram(durations.toPoints()) }]),
        ...(tokens.isEmpty ? [] : [{ ...NAMES.tokens, histogram: histogram(tokens.toPoints()) }]),
        ...(costPoints.length === 0 ? [] : [{ ...NAMES.cost, sum }]),
      ]
    },
  }
}

function toKey({ provider, requested_model: requested, model }: LogRecord, operation: string): string {
  return `${operation}\n${provider}\n${requested ?? ""}\n${model}\n`
}

function toValues(record: LogRecord, operation: string) {
  return {
    "gen_ai.operation.name": operation,
    "gen_ai.provider.name": toProviderName(record.provider),
    "gen_ai.request.model": record.requested_model,
    "gen_ai.response.model": record.model || undefined,
  }
}

const NAMES = {
  duration: { name: "gen_ai.client.operation.duration", unit: "s", description: "The duration of requests." },
  tokens: { name: "gen_ai.client.token.usage", unit: "{token}", description: "The tokens of requests." },
  cost: { name: "majordomo.cost", unit: "USD", description: "The cost of requests whose price is known." },
}
