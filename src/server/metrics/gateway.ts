import { version } from "../../../package.json"
import { gauge, type Metric } from "../prometheus.ts"

/** @param pricesCheckedAt when the price list that was fetched the longest ago was fetched; undefined: none is fetched */
export function toGatewayMetrics(pricesCheckedAt: number | undefined): Metric[] {
  const age = pricesCheckedAt === undefined ? undefined : Math.max(0, Date.now() - pricesCheckedAt) / 1000
  return [
    {
      name: "majordomo_build_info",
      type: "gauge",
      help: "1, with the version of the gateway and of Node.",
      samples: [{ labels: { version, node: process.versions.node }, value: 1 }],
      together: "max",
    },
    ...(age === undefined
      ? []
      : [
          {
            ...gauge(
              "majordomo_price_list_age_seconds",
              "Time since a price list was fetched, of the list for which it is longest.",
              age,
            ),
            together: "max",
          } as const,
        ]),
  ]
}
