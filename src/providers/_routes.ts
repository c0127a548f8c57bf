import type { CredentialPlace } from "./_credentials.ts"

/** The paths of a dialect: how requests reach it, and what they do there. */
export interface Routes {
  readonly claims: Claims
  readonly surfaces?: readonly Surface[]
  readonly operations: Operations
}

/**
 * How a request that names no provider is recognized as one of a dialect's own provider. A path decides; signs only
 * choose between the dialects that share it.
 */
interface Claims {
  /** Paths that no other API has. */
  readonly paths?: readonly RegExp[]
  /** Paths that other APIs have too. */
  readonly sharedPaths?: readonly RegExp[]
  /** Headers and parameters that only clients of this API send. */
  readonly signs?: readonly CredentialPlace[]
  /** Names the paths in the answer to an unknown path, such as `/v1/messages (Anthropic)`. */
  readonly summary: string
}

/** A part of a provider's API that has another dialect, such as an OpenAI-compatible surface. */
export interface Surface {
  /** The name of that dialect. */
  readonly format: string
  /** The client's paths that lead there. */
  readonly path: RegExp
  /** Paths that stay the provider's own although `path` matches. */
  readonly except?: RegExp
  /** Where the surface has another address than the client's path: `from` is replaced by `to`. */
  readonly rewrite?: { readonly from: RegExp; readonly to: string }
  /** The surface is only reached by requests that name the provider. */
  readonly isOnlyNamed?: boolean
  /** The surface takes bearer tokens only: a request with another credential of the provider means its own API. */
  readonly isOnlyBearer?: boolean
}

/**
 * The effect of a request on the bill:
 * - `inference`: it makes an answer that is billed
 * - `free`: it costs nothing by the provider's own rule
 * - `stored`: it shows again what was billed when it was made; the usage in its answer is a repetition
 * - `job`: it starts work whose result is fetched and billed later; itself it costs nothing
 * - `result`: it delivers such results, whose items are billed one by one (`_jobs.ts`); itself it costs nothing
 * - `unknown`: it is in no row of the table, and it may be billed
 */
export type Operation = "inference" | "free" | "stored" | "job" | "result" | "unknown"

/** One row of a dialect's table of operations. */
export interface OperationRow<Kind extends string = string> {
  /**
   * Tested against the path. A row that is billed has no anchor at its beginning, because Azure and proxies add
   * prefixes. A row that is not billed matches the whole path, so that no prefix or suffix hides a billed call.
   */
  readonly match: RegExp
  /** The methods of the row; undefined: all. */
  readonly methods?: readonly string[]
  readonly operation: Operation
  /** A kind of request that the dialect itself tells apart, such as by how its stream carries text. */
  readonly kind?: Kind
}

/** A dialect's operations by method and path. */
interface Operations<Kind extends string = string> {
  find(method: string, path: string): OperationRow<Kind>
}

/** The operations of a table, of which the first row that fits counts. */
export function createOperations<Kind extends string>(rows: readonly OperationRow<Kind>[]): Operations<Kind> {
  // Each request is looked up several times, and most requests have the same few paths.
  let lastMethod = ""
  let lastPath = ""
  let last: OperationRow<Kind> = UNKNOWN
  return {
    find(method, path) {
      if (path !== lastPath || method !== lastMethod) {
        last = findRow(rows, method, path)
        lastMethod = method
        lastPath = path
      }
      return last
    },
  }
}

function findRow<Kind extends string>(rows: readonly OperationRow<Kind>[], method: string, path: string) {
  for (const row of rows) {
    if (row.match.test(path) && (row.methods === undefined || row.methods.includes(method))) return row
  }
  return UNKNOWN
}

const UNKNOWN = { match: /^/, operation: "unknown" } as const

/**
 * Returns true for a request that costs nothing. An answer that reports usage is billed, whatever the table says, unless
 * it only shows again what was billed before, or delivers results that are billed one by one.
 */
export function isFreeOperation({ operation }: OperationRow, hasUsage: boolean): boolean {
  return (
    operation === "stored" || operation === "result" || (!hasUsage && (operation === "free" || operation === "job"))
  )
}
