import type { Operation, OperationRow } from "./_routes.ts"

/** One segment of a path that is an identifier: no dots alone, and no slash or dot in disguise. */
const ID = "(?!\\.{1,2}(?:/|$))(?:(?!%2[eEfF])[^/])+"

/**
 * Returns the rows of operations that are not billed, one row per set of methods. Each line of `list` has the methods and
 * then the path, in which `*` stands for one identifier: `GET DELETE files/*`. A line matches the whole path and nothing
 * below it.
 * @param prefix a pattern for what stands before the paths, such as `/v1/`
 * @param kind of all these operations
 */
export function toRows<Kind extends string = never>(
  operation: Operation,
  prefix: string,
  list: string,
  kind?: Kind,
): OperationRow<Kind>[] {
  const paths = new Map<string, string[]>()
  for (const line of list.trim().split("\n")) {
    const words = line.trim().split(" ")
    const pattern = toPattern(words.pop()!)
    const methods = words.join(" ")
    const same = paths.get(methods)
    if (same) same.push(pattern)
    else paths.set(methods, [pattern])
  }
  return Array.from(paths, ([methods, patterns]) => ({
    match: new RegExp(`^${prefix}(?:${patterns.join("|")})$`),
    methods: withHead(methods.split(" ")),
    operation,
    ...(kind === undefined ? {} : { kind }),
  }))
}

function toPattern(path: string): string {
  return path
    .split("*")
    .map((literal) => literal.replace(/[.\\+?^${}()|[\]]/g, "\\$&"))
    .join(ID)
}

/** HEAD asks for the head of what GET returns. */
function withHead(methods: readonly string[]): readonly string[] {
  return methods.includes("GET") ? [...methods, "HEAD"] : methods
}
