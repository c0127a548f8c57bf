import { CommandError } from "../core/errors.ts"
import { type AnyRoute, hasQuery, listPathParameters } from "./_route.ts"
import { type ApiEvent, readEvents } from "./events.ts"
import { BASE } from "./handle.ts"
import { parseInput } from "./input.ts"
import {
  isEventStream,
  type RemoteGateway,
  toConnectError,
  toEndError,
  toProblemError,
  toResponseError,
} from "./remote-errors.ts"

interface Listener {
  log(line: string): void
  onProgress(done: number, total: number): void
  onItem?(item: unknown): void | Promise<void>
  /** Called when the gateway has accepted the call. */
  onOpen?(): void
  /** The file that is sent. */
  readonly file?: AsyncIterable<Uint8Array> | undefined
  readonly signal: AbortSignal
}

/**
 * Calls a route of a gateway, and returns its output. What the gateway says meanwhile goes to the listener.
 *
 * @throws CommandError if the gateway cannot be reached or rejects the call, with the same message as in the gateway's process
 */
export async function callRemotely(
  route: AnyRoute,
  gateway: RemoteGateway,
  input: Readonly<Record<string, unknown>>,
  listener: Listener,
): Promise<unknown> {
  const response = await send(route, gateway, input, listener)
  if (!isEventStream(response)) throw await toResponseError(gateway, response)
  listener.onOpen?.()
  const isRead = route.method === "GET"
  const events = readEvents(response.body as unknown as AsyncIterable<Uint8Array>)
  const next = () =>
    events.next().catch((error: unknown) => {
      throw listener.signal.aborted ? error : toEndError(gateway, error, { isRead })
    })
  try {
    for (let read = await next(); !read.done; read = await next()) {
      if ("result" in read.value) return read.value.result
      if ("problem" in read.value) throw toProblemError(gateway, read.value.problem)
      await tell(read.value, listener)
    }
  } finally {
    await events.return(undefined).catch(() => {})
  }
  throw toEndError(gateway, undefined, { isRead })
}

async function tell(event: ApiEvent, listener: Listener): Promise<void> {
  if ("note" in event) listener.log(event.note)
  else if ("progress" in event) listener.onProgress(event.progress.done, event.progress.total)
  else if ("item" in event) await listener.onItem?.(event.item)
}

async function send(
  route: AnyRoute,
  gateway: RemoteGateway,
  input: Readonly<Record<string, unknown>>,
  { signal, file }: Listener,
): Promise<Response> {
  const { url, token } = gateway
  const { path, rest } = fillPath(route, input)
  const isQuery = hasQuery(route)
  const query = isQuery ? toQuery(rest) : ""
  try {
    return await fetch(`${url.replace(/\/+$/, "")}${BASE}${path}${query}`, {
      method: route.method,
      headers: {
        Accept: "text/event-stream",
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        ...(!isQuery && { "Content-Type": "application/json" }),
        ...(file && { "Content-Type": "application/octet-stream" }),
      },
      ...(!isQuery && { body: JSON.stringify(rest) }),
      ...(file && { body: ReadableStream.from(file), duplex: "half" as const }),
      // A redirect would take the token to another address.
      redirect: "manual",
      signal,
    })
  } catch (error) {
    if (signal.aborted) throw error
    throw toConnectError(gateway, error, { isRead: route.method === "GET" })
  }
}

/** @throws InputError if a parameter of the path is empty and may not be; CommandError if no URL can contain it */
function fillPath(route: AnyRoute, input: Readonly<Record<string, unknown>>) {
  const names = listPathParameters(route.path)
  for (const name of names) {
    const value = String(input[name])
    // An empty parameter would make it another route, which has no errors of this one.
    if (value === "") parseInput(route, input, Date.now())
    if (/^\.{0,2}$/.test(value)) throw new CommandError(`"${value}" cannot be asked for from afar: use another name`, 2)
  }
  const filled = route.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(input[name])))
  return { path: filled, rest: Object.fromEntries(Object.entries(input).filter(([name]) => !names.includes(name))) }
}

function toQuery(values: Readonly<Record<string, unknown>>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue
    for (const each of Array.isArray(value) ? value : [value]) query.append(name, String(each))
  }
  return query.size === 0 ? "" : `?${query}`
}
