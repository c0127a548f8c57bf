import { CommandError } from "../core/errors.ts"
import { type AnyRoute, hasQuery, listPathParameters } from "./_route.ts"
import { type ApiEvent, readEvents } from "./events.ts"
import { BASE } from "./handle.ts"
import { type Problem, toError } from "./problem.ts"

/** A gateway that is called from afar. */
interface RemoteGateway {
  /** Its origin, such as `https://gateway.example.com`, possibly with a path before `/api/v1`. */
  readonly url: string
  /** An admin token. */
  readonly token: string | undefined
}

interface Listener {
  log(line: string): void
  onProgress(done: number, total: number): void
  onItem?(item: unknown): void | Promise<void>
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
  if (!response.ok || response.body === null) throw await toResponseError(gateway, response)
  try {
    for await (const event of readEvents(response.body as unknown as AsyncIterable<Uint8Array>)) {
      if ("result" in event) return event.result
      await tell(event, listener)
    }
  } catch (error) {
    if (error instanceof CommandError || listener.signal.aborted) throw error
    throw new CommandError(`the connection to ${gateway.url} ended before the answer: ${toCause(error)}`)
  }
  throw new CommandError(`the connection to ${gateway.url} ended before the answer: run it again`)
}

async function tell(event: ApiEvent, listener: Listener): Promise<void> {
  if ("problem" in event) throw toError(event.problem)
  if ("note" in event) listener.log(event.note)
  else if ("progress" in event) listener.onProgress(event.progress.done, event.progress.total)
  else if ("item" in event) await listener.onItem?.(event.item)
}

async function send(
  route: AnyRoute,
  { url, token }: RemoteGateway,
  input: Readonly<Record<string, unknown>>,
  { signal, file }: Listener,
): Promise<Response> {
  const { path, rest } = fillPath(route.path, input)
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
    throw new CommandError(`no gateway answers at ${url} (${toCause(error)}): start it, or correct --gateway`)
  }
}

function fillPath(path: string, input: Readonly<Record<string, unknown>>) {
  const names = listPathParameters(path)
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(input[name])))
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

/** Returns the code of the system's error, which says more than "fetch failed". */
function toCause(error: unknown): string {
  const { cause, message } = error as Error & { readonly cause?: { readonly code?: string; readonly message?: string } }
  return cause?.code ?? cause?.message ?? message
}

async function toResponseError({ url, token }: RemoteGateway, response: Response): Promise<CommandError> {
  const { status } = response
  const problem = await response
    .json()
    .then((value) => value as Partial<Problem>)
    .catch(() => undefined)
  if (typeof problem?.code !== "string" || typeof problem.detail !== "string") {
    const where = status >= 300 && status < 400 ? `, which redirects to ${response.headers.get("location")}` : ""
    return new CommandError(`${url} is not the admin API of a gateway (status ${status})${where}: correct --gateway`)
  }
  if (problem.code === "unauthenticated") {
    const why = token === undefined ? "needs an admin token" : "does not accept this admin token"
    return new CommandError(`the gateway at ${url} ${why}: run majordomo-gateway login ${url}, or give --token`)
  }
  return toError(problem as Problem)
}
