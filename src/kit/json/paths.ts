/** A place in a JSON document as it is walked: which paths may still match below it. */
export type PathState = readonly number[]

/**
 * Several paths, followed together from the root down. A state is a list of numbers, `path * STEPS + step`; the list is
 * empty where nothing below can match.
 */
export interface JsonPaths {
  readonly root: PathState
  /** The state of a member or element; `"picked"`: its value is what a path names. */
  child(state: PathState, key: string | number): PathState | "picked"
}

interface Step {
  /** After `..`: at any depth. */
  readonly deep: boolean
  /** undefined: any name, any index (`*`). */
  readonly key: string | number | undefined
}

const STEPS = 64
const TOKEN = /(\.\.?)(\*|[^.[\]*\s"']+)|(\.\.)?\[(\*|-?\d+|"(?:[^"\\]|\\.)*"|'[^'\\]*')\]/y

/**
 * Reads a path: `$.name`, `$[0]`, `$[*]`, `$.*`, `$["odd name"]`, and `$..name` for a name at any depth.
 * @throws Error that says what is wrong with it
 */
export function parseJsonPath(path: string): readonly Step[] {
  if (!path.startsWith("$")) throw new Error(`a path begins with $, got ${JSON.stringify(path)}`)
  const steps: Step[] = []
  let at = 1
  while (at < path.length) {
    TOKEN.lastIndex = at
    const token = TOKEN.exec(path)
    if (!token) throw new Error(`cannot read ${JSON.stringify(path.slice(at))} in the path ${JSON.stringify(path)}`)
    steps.push(
      token[2] === undefined ? toBracket(token[4]!, token[3] !== undefined) : toName(token[2], token[1] === ".."),
    )
    at = TOKEN.lastIndex
  }
  if (steps.length === 0) throw new Error("the path $ names the whole document: name what is in it")
  if (steps.length >= STEPS) throw new Error(`a path has fewer than ${STEPS} steps`)
  return steps
}

export function createJsonPaths(paths: readonly (readonly Step[])[]): JsonPaths {
  return {
    root: paths.map((_, index) => index * STEPS),
    child(state, key) {
      if (state.length === 0) return NOWHERE
      const next: number[] = []
      for (const place of state) {
        const steps = paths[Math.floor(place / STEPS)]!
        const index = place % STEPS
        const step = steps[index]!
        if (step.deep) next.push(place)
        if (step.key !== undefined && step.key !== key) continue
        if (index + 1 === steps.length) return "picked"
        next.push(place + 1)
      }
      return next
    },
  }
}

const NOWHERE: PathState = []

function toName(name: string, deep: boolean): Step {
  return { deep, key: name === "*" ? undefined : name }
}

function toBracket(inside: string, deep: boolean): Step {
  if (inside === "*") return { deep, key: undefined }
  if (inside.startsWith('"')) return { deep, key: JSON.parse(inside) as string }
  if (inside.startsWith("'")) return { deep, key: inside.slice(1, -1) }
  const index = Number(inside)
  if (index < 0) throw new Error(`an index counts from 0, got ${inside}`)
  return { deep, key: index }
}
