/** The paths that can still match below one place of a JSON document. */
export type PathState = readonly number[]

/**
 * Several paths, which are followed together from the root of a document. A state is a list of numbers,
 * `path * MAX_STEPS + step`. The list is empty where nothing below can match.
 */
export interface JsonPaths {
  readonly root: PathState
  /** Returns the state of a member or element, or `"picked"` if a path names its value. */
  child(state: PathState, key: string | number): PathState | "picked"
}

interface Step {
  /** The step stands after `..` and matches at any depth. */
  readonly deep: boolean
  /** The name or index; undefined stands for any (`*`). */
  readonly key: string | number | undefined
}

const MAX_STEPS = 64
const TOKEN = /(\.\.?)(\*|[^.[\]*\s"']+)|(\.\.)?\[(\*|-?\d+|"(?:[^"\\]|\\.)*"|'[^'\\]*')\]/y

/**
 * Parses a path: `$.name`, `$[0]`, `$[*]`, `$.*`, `$["odd name"]`, and `$..name` for a name at any depth.
 * @throws Error that says what is wrong with the path
 */
export function parseJsonPath(path: string): readonly Step[] {
  if (!path.startsWith("$")) throw new Error(`a path starts with $, got ${JSON.stringify(path)}`)
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
  if (steps.length === 0) throw new Error("the path $ names the whole document: name a member or element of it")
  if (steps.length >= MAX_STEPS) throw new Error(`a path has at most ${MAX_STEPS - 1} steps, got ${steps.length}`)
  return steps
}

/** Combines parsed paths, so that a document is searched for all of them at once. */
export function createJsonPaths(paths: readonly (readonly Step[])[]): JsonPaths {
  return {
    root: paths.map((_, index) => index * MAX_STEPS),
    child(state, key) {
      if (state.length === 0) return NOWHERE
      const next: number[] = []
      for (const place of state) {
        const steps = paths[Math.floor(place / MAX_STEPS)]!
        const index = place % MAX_STEPS
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
  if (index < 0) throw new Error(`an index is 0 or more, got ${inside}`)
  return { deep, key: index }
}
