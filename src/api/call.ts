import type { Context } from "../operations/context.ts"
import { withBodies } from "../operations/open/bodies.ts"
import { connectToDatabase, withDatabase, withDatabaseIfAny } from "../operations/open/database.ts"
import { withPriceHistory, withPrices, withStoredPrices } from "../operations/open/prices.ts"
import { withReplica } from "../operations/open/replica.ts"
import type { AnyRoute, Need, Route, RouteContext, StreamRoute } from "./_route.ts"
import { parseInput } from "./input.ts"

/** The part of the context that a command gives to a route that it runs by itself. */
export interface LocalCaller extends Pick<RouteContext<Need>, "settings" | "log" | "onProgress" | "signal" | "actor"> {
  readonly now: () => number
  /** The file that the command sends. */
  readonly file?: AsyncIterable<Uint8Array> | undefined
}

/** Runs a route in this process: checks its input, opens what it needs, and closes it again. */
export function callLocally<Parsed, Output>(
  // biome-ignore lint/suspicious/noExplicitAny: the input has been checked against the schema by the caller's types
  route: Route<any, Parsed, Output, any>,
  caller: LocalCaller,
  input: unknown,
): Promise<Output> {
  const parsed = parseInput(route, input, caller.now()) as Parsed
  return withResources(route, caller, (context) => Promise.resolve(route.run(context, parsed)))
}

/** Runs a route that returns a sequence in this process, and passes on its items one by one. */
export function streamLocally<Parsed, Item>(
  // biome-ignore lint/suspicious/noExplicitAny: as above
  route: StreamRoute<any, Parsed, Item, any>,
  caller: LocalCaller,
  input: unknown,
  onItem: (item: Item) => void | Promise<void>,
): Promise<void> {
  const parsed = parseInput(route, input, caller.now()) as Parsed
  return withResources(route, caller, async (context) => {
    for await (const item of route.run(context, parsed)) await onItem(item)
  })
}

/** Opens the resources of a route. What a route does not name, its `run` cannot use. */
async function withResources<T>(
  { needs, mayCreate, readsReplica }: AnyRoute,
  caller: LocalCaller,
  work: (context: RouteContext<Need>) => Promise<T>,
): Promise<T> {
  const open = async (context: object, left: readonly Need[]): Promise<T> => {
    const [need, ...rest] = left
    const next = (opened: object): Promise<T> => open({ ...context, ...opened }, rest)
    switch (need) {
      case "database":
        return withDatabase({ ...caller, mayCreate: mayCreate ?? false }, (opened) =>
          readsReplica
            ? withReplica({ ...caller, ...opened }, ({ reader }) => next({ ...opened, database: reader }))
            : next(opened),
        )
      case "database?":
        return withDatabaseIfAny(caller, NOT_AUDITED, (database) => next({ database }))
      case "connect":
        return next({ connect: () => connectToDatabase(caller.settings) })
      case "replica":
        return withReplica({ ...caller, ...(context as Context<"database">) }, next)
      case "bodies":
        return withBodies(caller.settings, next)
      case "prices":
        return needs.includes("database") ? withPrices({ ...caller, ...context }, next) : withStoredPrices(caller, next)
      case "history":
        return withPriceHistory(caller, next)
      case "file":
        return next({ file: caller.file })
      case "http":
        throw new Error("this route works only over HTTP")
      default:
        // The functions of the caller win over those of the resources.
        return work({ ...context, ...caller } as RouteContext<Need>)
    }
  }
  // The price book uses the database of the route, if it needs one.
  return open(
    {},
    [...needs].sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b)),
  )
}

const NOT_AUDITED = "the audit log does not have this"

const ORDER: readonly Need[] = ["database", "database?", "connect", "replica", "bodies", "prices", "history"]
