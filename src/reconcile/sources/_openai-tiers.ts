import type { BillLine } from "../../core/reconciliation.ts"

/**
 * Gives cost lines that name no tier the one tier of their model's usage that no other cost line names. Where more tiers
 * are left, the line may pay for any of them, and stays without one.
 *
 * Worked example: usage in the tiers `standard` and `priority`, and the cost lines `gpt-5, input` and
 * `priority | gpt-5, input`. The first one is of the tier `standard`.
 */
export function assignTiers(costs: readonly BillLine[], usage: readonly BillLine[]): BillLine[] {
  const used = groupTiers(usage.filter(({ bucket }) => bucket !== "tool"))
  const named = groupTiers(costs)
  return costs.map((line) => {
    if (line.model === undefined || line.tier !== undefined) return line
    const left = [...(used.get(idOf(line)) ?? [])].filter(
      (tier) => tier === undefined || !named.get(idOf(line))?.has(tier),
    )
    return left.length === 1 ? { ...line, tier: left[0] } : line
  })
}

/** Returns the tiers of each day and model. */
function groupTiers(lines: readonly BillLine[]): ReadonlyMap<string, ReadonlySet<string | undefined>> {
  const tiers = new Map<string, Set<string | undefined>>()
  for (const line of lines) {
    const id = idOf(line)
    tiers.set(id, (tiers.get(id) ?? new Set()).add(line.tier))
  }
  return tiers
}

function idOf({ day, model }: BillLine): string {
  return `${day} ${model}`
}
