import type { z } from "zod"
import type { Role } from "../core/actor.ts"
import type { Context, Database } from "../operations/context.ts"
import type { Replica } from "../operations/open/replica.ts"
import type { Access } from "./access.ts"
import type { HttpExchange } from "./http.ts"

/**
 * A resource that a route needs in addition to settings, clock and log. `prices` is the price book, and the database if it
 * can be opened; `database?` is the database alone, which a command may call without. `history` is the price book with the
 * changes of prices that the database has; the database may be missing. `connect` returns a database for a call that lasts; the
 * caller closes it. `file` is a file that the caller sends: over HTTP it is the body, and the other inputs are in the query.
 * `http` is the request itself: a route that needs it is no command. `replica` is the one of the settings, which may be none.
 */
export type Need = "database" | "database?" | "connect" | "prices" | "history" | "bodies" | "replica" | "file" | "http"

type Named = "settings" | "now" | "log" | "onProgress" | "actor"

/** The context that `run` receives: the resources of its needs, and those that every route has. */
export type RouteContext<N extends Need> = Context<Named> &
  Context<
    | Exclude<N, "database?" | "history" | "connect" | "replica" | "file" | "http">
    | ("history" extends N ? "prices" : never)
  > &
  ("database?" extends N ? { readonly database?: Database | undefined } : object) &
  ("prices" extends N ? { readonly database?: Database | undefined } : object) &
  ("replica" extends N ? { readonly replica: Replica | undefined } : object) &
  ("connect" extends N ? { connect(): Promise<Database> } : object) &
  ("file" extends N ? { readonly file: AsyncIterable<Uint8Array> } : object) &
  ("http" extends N ? { readonly http: HttpExchange; readonly access: Access } : object) & {
    /** Aborts when the caller does not want the result any more. */
    readonly signal: AbortSignal
  }

type Method = "GET" | "POST" | "PATCH" | "DELETE"

interface RouteFacts<Input extends z.ZodObject, N extends Need> {
  /** Its name: `keys.list`. OpenAPI calls it the operation id. */
  readonly name: string
  readonly method: Method
  /** Its path below `/api/v1`, with parameters in braces: `/keys/{id}`. */
  readonly path: `/${string}`
  /** The least role that may call it. `public` means everybody: such a route shows nothing, or finds out by itself who calls. */
  readonly role: Role | "public"
  /** It says what the route does, in a few words without a full stop. */
  readonly summary: string
  /**
   * Everything that the route takes, by name: parameters of the path, then of the query (GET, DELETE) or of the JSON body.
   * Values of a query are text; a list is a parameter that is repeated.
   */
  readonly input: Input
  readonly needs: readonly N[]
  /** It only reads, and its result may be some seconds old, so its database is the replica while that can be used. */
  readonly readsReplica?: boolean
  /** It answers with a redirect, by `redirect(http, address)`, and has no output. */
  readonly redirects?: boolean
  /** It may create an embedded database that does not exist yet, when the command line runs it. */
  readonly mayCreate?: boolean
}

/**
 * One thing that the admin API can do: where it is, who may do it, what it takes and what it returns. The command line
 * runs the same routes, on its own database or on a gateway (`call.ts`).
 */
export interface Route<
  Input extends z.ZodObject = z.ZodObject,
  Parsed = unknown,
  Output = unknown,
  N extends Need = Need,
> extends RouteFacts<Input, N> {
  readonly output: z.ZodType<Output>
  /**
   * Adds fields that clients of the Go gateway read, if it has a route at the same address. Only answers in plain JSON have
   * them: our command line asks for events.
   */
  addGoFields?(output: Output): unknown
  /**
   * Parses the text that a person wrote, before anything is opened.
   * @throws InputError for a value that is not valid
   */
  readonly parse: (input: z.output<Input>, now: number) => Parsed
  readonly run: (context: RouteContext<N>, input: Parsed) => Output | Promise<Output>
}

/** A route whose result is a sequence of items, such as the requests as they are written. */
export interface StreamRoute<
  Input extends z.ZodObject = z.ZodObject,
  Parsed = unknown,
  Item = unknown,
  N extends Need = Need,
> extends RouteFacts<Input, N> {
  readonly item: z.ZodType<Item>
  /** The items are texts that are sent as they are, such as lines of JSON that must not be changed. */
  readonly isText?: boolean
  readonly addGoFields?: undefined
  readonly parse: (input: z.output<Input>, now: number) => Parsed
  readonly run: (context: RouteContext<N>, input: Parsed) => AsyncIterable<Item>
}

/** The input of a route, as its callers write it. */
export type InputOf<R extends { readonly input: z.ZodObject }> = R extends {
  readonly input: infer I extends z.ZodObject
}
  ? z.input<I>
  : never

/** The output of a route. */
export type OutputOf<R> = R extends { readonly output: z.ZodType<infer Output> } ? Output : never

// The tables of routes contain routes with any types; the types of one route are checked where it is defined.
// biome-ignore lint/suspicious/noExplicitAny: the parameters of `parse` and `run` are contravariant
export type AnyRoute = Route<any, any, any, any> | StreamRoute<any, any, any, any>

/** Defines a route. Without `parse`, `run` takes the input as the schema returns it. */
export function defineRoute<Input extends z.ZodObject, Output, N extends Need, Parsed = z.output<Input>>(
  route: Omit<Route<Input, Parsed, Output, N>, "parse"> & Partial<Pick<Route<Input, Parsed, Output, N>, "parse">>,
): Route<Input, Parsed, Output, N> {
  return { parse: (input) => input as Parsed, ...route }
}

/** Defines a route that returns a sequence of items. */
export function defineStream<Input extends z.ZodObject, Item, N extends Need, Parsed = z.output<Input>>(
  route: Omit<StreamRoute<Input, Parsed, Item, N>, "parse"> &
    Partial<Pick<StreamRoute<Input, Parsed, Item, N>, "parse">>,
): StreamRoute<Input, Parsed, Item, N> {
  return { parse: (input) => input as Parsed, ...route }
}

/** The resources of a route that only reads rows and rollups. */
export const FROM_REPLICA = { needs: ["database"], readsReplica: true } as const

/** Whether the inputs of a route are in the query, and not in a JSON body. */
export function hasQuery({ method, needs }: Pick<AnyRoute, "method" | "needs">): boolean {
  return method === "GET" || method === "DELETE" || needs.includes("file")
}

/** Returns the names of the parameters in a path: `/keys/{id}` has `id`. */
export function listPathParameters(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
}
