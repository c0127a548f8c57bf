import type { OutputOf, Route } from "../api/_route.ts"
import type { Json } from "./_json.ts"
import type { Paging } from "./paging.ts"

/** A question that a model can ask: one route of the admin API that only reads, with a description written for models. */
export interface Tool {
  readonly name: string
  /** Its name for people. */
  readonly title: string
  /** Says what it answers, with units and defaults, and when to use another tool. */
  readonly description: string
  readonly route: Route
  /** Inputs of the route that the tool sets itself. A caller cannot give them. */
  readonly fixed?: Json
  /** Inputs of the route that have another name here. */
  readonly renamed?: Readonly<Record<string, { readonly name: string; readonly description: string }>>
  /** How a long answer is divided. */
  readonly paging?: Paging
  /** Returns the answer; by default it is the output of the route. An output that is a list must become an object. */
  readonly toAnswer?: (output: unknown) => Json
  /** Says the most important thing in one or two sentences. Texts of requests are in it only as short quoted names. */
  readonly summarize: (answer: Json) => string
}

// A tool takes a route with any types; the types of its own route are checked where it is defined.
// biome-ignore lint/suspicious/noExplicitAny: see above
type AnyRoute = Route<any, any, any, any>

/** An answer that `Paging` has cut to a page of it. */
type Answered<R> = OutputOf<R> & { readonly next?: string | null }

/** Defines a tool. Its functions receive what its route returns. */
export function defineTool<R extends AnyRoute, Answer = Answered<R>>(
  tool: Omit<Tool, "route" | "toAnswer" | "summarize"> & {
    readonly route: R
    readonly toAnswer?: (output: OutputOf<R>) => Answer
    readonly summarize: (answer: Answer) => string
  },
): Tool {
  return tool as unknown as Tool
}
