import type { Groups } from "./_groups.ts"
import { FEES, isForTokens } from "./_names.ts"
import { SHARED } from "./_owners.ts"
import type { Cell, CostLine } from "./_shapes.ts"

/** Cells of one day and the costs that pay for them: the finest detail that usage, costs and records share. */
export interface Component {
  readonly day: string
  readonly cells: Cell[]
  readonly costs: CostLine[]
}

/**
 * Joins cells with the costs that can pay for them. A cost that does not say the model, tier, owner or bucket pays for all
 * cells that agree in what it says. A cost for which there is no cell has a component of its own.
 */
export function toComponents({ all, costs }: Groups): readonly Component[] {
  const cellsOf = new Map<string, Cell[]>()
  for (const { day, cells } of all.values()) {
    const found = cellsOf.get(day) ?? []
    found.push(...[...cells.values()].filter(({ bucket }) => !FEES.has(bucket)))
    cellsOf.set(day, found)
  }
  const components = new Map<Cell, Component>()
  const alone = new Map<string, Component>()
  for (const cost of costs) {
    const { day } = cost.line
    if (!isForTokens(cost)) continue
    const paid = (cellsOf.get(day) ?? []).filter((cell) => isPaidBy(cell, cost))
    const target = paid.length > 0 ? join(paid, components) : createAlone(cost, alone)
    target.costs.push(cost)
  }
  for (const cells of cellsOf.values()) for (const cell of cells) if (!components.has(cell)) join([cell], components)
  return [...new Set(components.values()), ...alone.values()]
}

function isPaidBy({ bucket, group }: Cell, { model, tier, owner, line, bucket: paid }: CostLine): boolean {
  if (model !== undefined && group.model !== model) return false
  if (tier !== undefined && group.tier !== tier && group.tier !== "") return false
  if (owner !== undefined && group.owner !== owner) return false
  if (owner === undefined && line.project !== undefined && group.projects.size > 0 && !group.projects.has(line.project))
    return false
  return paid === "all" || bucket === paid || bucket === "all"
}

/** Puts cells, and the components that they are in, into one component. */
function join(cells: readonly Cell[], components: Map<Cell, Component>): Component {
  const found = [...new Set(cells.map((cell) => components.get(cell)))].filter((each) => each !== undefined)
  const target = found[0] ?? { day: cells[0]!.group.day, cells: [], costs: [] }
  for (const other of found.slice(1)) {
    target.costs.push(...other.costs)
    for (const cell of other.cells) add(cell)
  }
  for (const cell of cells) if (components.get(cell) !== target) add(cell)
  return target

  function add(cell: Cell) {
    target.cells.push(cell)
    components.set(cell, target)
  }
}

function createAlone({ line, model, tier, owner }: CostLine, alone: Map<string, Component>): Component {
  const id = JSON.stringify([line.day, model, tier, owner ?? SHARED, model === undefined ? line.item : undefined])
  const component = alone.get(id) ?? { day: line.day, cells: [], costs: [] }
  alone.set(id, component)
  return component
}
