/** What goes wrong in the sample data, so that reports have something to find. */
interface Incident {
  readonly daysAgo: number
  /** The hours of UTC from which and before which it lasts. */
  readonly hours: readonly [from: number, to: number]
  readonly provider?: string
  readonly feature?: string
  /** How many times as long responses take. */
  readonly slower?: number
  /** The share of requests that fail. */
  readonly failing?: number
  /** How many times as many steps a run has, because an agent repeats itself. */
  readonly repeats?: number
}

const INCIDENTS: readonly Incident[] = [
  { daysAgo: 2, hours: [9, 12], provider: "openai", failing: 0.45 },
  { daysAgo: 5, hours: [8, 18], feature: "agent", repeats: 9 },
  { daysAgo: 12, hours: [12, 17], provider: "anthropic", slower: 5 },
]

/** Returns what goes wrong for a request, as factors and shares that change nothing if nothing does. */
export function findIncident(request: {
  readonly daysAgo: number
  readonly hour: number
  readonly provider: string
  readonly feature: string
}): Required<Pick<Incident, "slower" | "failing" | "repeats">> {
  const { daysAgo, hour, provider, feature } = request
  const found = INCIDENTS.find(
    (each) =>
      each.daysAgo === daysAgo &&
      hour >= each.hours[0] &&
      hour < each.hours[1] &&
      (each.provider === undefined || each.provider === provider) &&
      (each.feature === undefined || each.feature === feature),
  )
  return { slower: found?.slower ?? 1, failing: found?.failing ?? 0.012, repeats: found?.repeats ?? 1 }
}
