/** A part of a value is not valid. It is thrown inside a parser, and becomes what `explain` of the parser says. */
export class FieldProblem extends Error {
  /** The position in the value, such as `.ops.url` or `[2].to`. */
  readonly path: string

  constructor(path: string, why: string) {
    super(why)
    this.path = path
  }
}

/** Returns what `parse` returns, or the problem that it throws. */
export function tryToParse<T>(
  parse: () => T,
): { readonly value: T } | { readonly problem: { readonly path: string; readonly why: string } } {
  try {
    return { value: parse() }
  } catch (error) {
    if (error instanceof FieldProblem) return { problem: { path: error.path, why: error.message } }
    throw error
  }
}
