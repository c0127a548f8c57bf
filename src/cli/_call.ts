import type { ArgsDef } from "citty"
import type { AnyRoute, InputOf, OutputOf, Route, StreamRoute } from "../api/_route.ts"
import { callLocally, type LocalCaller, streamLocally } from "../api/call.ts"
import { parseInput } from "../api/input.ts"
import { callRemotely } from "../api/remote.ts"
import type { RemoteGateway } from "../api/remote-errors.ts"
import type { Settings } from "../config/settings.ts"
import { CommandError } from "../core/errors.ts"
import { findActor } from "./_actor.ts"
import { COMMON } from "./_command.ts"
import { findGateway, type RemoteArgs } from "./_gateway.ts"
import { openSettings } from "./_open.ts"
import { printMessage } from "./_print.ts"
import { createProgress } from "./_progress.ts"

/** The options of a command that works on its own database, or on a gateway from afar. */
export const REMOTE = {
  ...COMMON,
  gateway: { type: "string", valueHint: "URL", description: "ask this gateway, and open no database" },
  token: { type: "string", valueHint: "TOKEN", description: "an admin token of that gateway" },
} as const satisfies ArgsDef

interface CallOptions {
  /** What the progress counts, such as `requests`. */
  readonly noun?: string
  readonly signal?: AbortSignal
  /** Called when a gateway has accepted the call, and begins to answer. */
  readonly onOpen?: () => void
  /** The file that the route takes. */
  readonly file?: AsyncIterable<Uint8Array>
  /** Changes the settings, by an option that only a command on its own database has. */
  readonly change?: (settings: Settings) => Settings
  /** The name of that option. */
  readonly ofThisMachine?: string
}

// A call takes a route with any types and returns the route's own output.
// biome-ignore-start lint/suspicious/noExplicitAny: see above

type ItemOf<R> = R extends StreamRoute<any, any, infer Item, any> ? Item : never

/** Runs a route on the gateway that the options name, or else on the configured database. */
export function call<R extends Route<any, any, any, any>>(
  args: RemoteArgs,
  route: R,
  input: InputOf<R>,
  options: CallOptions = {},
): Promise<OutputOf<R>> {
  return perform(args, options, {
    locally: (caller) => callLocally(route, caller, input),
    remotely: (gateway, caller) => callRemotely(route, gateway, input, caller) as Promise<OutputOf<R>>,
  })
}

/** Runs a route that returns a sequence, and passes on its items one by one. */
export function stream<R extends StreamRoute<any, any, any, any>>(
  args: RemoteArgs,
  route: R,
  input: InputOf<R>,
  onItem: (item: ItemOf<R>) => void | Promise<void>,
  options: CallOptions = {},
): Promise<void> {
  return perform(args, options, {
    locally: (caller) => streamLocally(route, caller, input, onItem),
    remotely: async (gateway, caller) => {
      await callRemotely(route as AnyRoute, gateway, input, { ...caller, onItem: (item) => onItem(item as ItemOf<R>) })
    },
  })
}

// biome-ignore-end lint/suspicious/noExplicitAny: see above

/** Checks the input of a route, before somebody is asked to confirm it. @throws InputError if it is not valid */
export function checkInput<R extends AnyRoute>(route: R, input: InputOf<R>): void {
  parseInput(route, input, Date.now())
}

type Listener = Pick<LocalCaller, "log" | "onProgress" | "signal" | "file"> & Pick<CallOptions, "onOpen">

async function perform<T>(
  args: RemoteArgs,
  options: CallOptions,
  {
    locally,
    remotely,
  }: {
    locally(caller: LocalCaller): Promise<T>
    remotely(gateway: RemoteGateway, listener: Listener): Promise<T>
  },
): Promise<T> {
  const { noun = "requests", signal = new AbortController().signal, file, onOpen } = options
  const progress = createProgress(noun)
  const listener: Listener = { log: printMessage, onProgress: progress.update, signal, file, ...(onOpen && { onOpen }) }
  const gateway = findGateway(args)
  if (gateway !== undefined && options.ofThisMachine !== undefined) {
    throw new CommandError(
      `${options.ofThisMachine} works on the database of this machine only: a gateway has its settings`,
    )
  }
  const { change = (settings: Settings) => settings } = options
  const result =
    gateway === undefined
      ? locally({ ...listener, settings: change(await openSettings(args.config)), now: Date.now, actor: findActor() })
      : remotely(gateway, listener)
  return await result.finally(progress.end)
}
