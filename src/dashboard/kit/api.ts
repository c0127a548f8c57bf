/** An error of the admin API (RFC 9457), or a failure to reach it. */
export class ApiProblem extends Error {
  /** The HTTP status; 0: there was no answer. */
  readonly status: number
  readonly code: string
  /** The parameter that is not valid. */
  readonly field: string | undefined

  constructor({ status, code, detail, field }: { status: number; code: string; detail: string; field?: string }) {
    super(detail)
    this.status = status
    this.code = code
    this.field = field
  }
}

/** Values of a query or a body, by name. In a query, undefined and empty texts are left out, and a list is repeated. */
export type Input = Readonly<Record<string, unknown>>

export interface Session {
  readonly id: string
  readonly name: string
  readonly role: "viewer" | "auditor" | "admin"
  readonly csrf_token: string
  readonly expires_at: string
}

const BASE = "/api/v1"
/** A view asks up to sixteen questions. All at once, they only wait for each other in the database. */
const MAX_ASKING = 2
let asking = 0
const waiting: (() => void)[] = []
let csrfToken = ""
let onSignedOut: () => void = () => {}

/** Sets the token that proves to the API that a change comes from this page, and what to do when the session ends. */
export function startSession(session: Session, whenSignedOut: () => void): void {
  csrfToken = session.csrf_token
  onSignedOut = whenSignedOut
}

export function toUrl(path: string, input: Input = {}): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(input)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== undefined && item !== null && item !== "") query.append(name, String(item))
    }
  }
  return query.size === 0 ? BASE + path : `${BASE}${path}?${query}`
}

/** Waits while as many questions are asked as the gateway answers soonest. @throws ApiProblem */
export async function get<T>(path: string, input?: Input, signal?: AbortSignal): Promise<T> {
  if (asking === MAX_ASKING) await new Promise<void>((resolve) => waiting.push(resolve))
  else asking++
  try {
    return await send<T>("GET", toUrl(path, input), { signal })
  } finally {
    const next = waiting.shift()
    if (next) next()
    else asking--
  }
}

/** Changes something. @throws ApiProblem */
export function change<T>(method: "POST" | "PATCH" | "DELETE", path: string, input: Input = {}): Promise<T> {
  const headers = { "X-CSRF-Token": csrfToken }
  if (method === "DELETE") return send<T>(method, toUrl(path, input), { headers })
  return send<T>(method, toUrl(path), {
    headers: { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify(input),
  })
}

/** Sends a file. The input is in the query. @throws ApiProblem */
export function upload<T>(path: string, input: Input, file: File): Promise<T> {
  const headers = { "X-CSRF-Token": csrfToken, "Content-Type": "application/octet-stream" }
  return send<T>("POST", toUrl(path, input), { headers, body: file })
}

/**
 * Changes something that takes long, and passes on what the gateway says meanwhile, such as how far it is.
 * @throws ApiProblem
 */
export async function changeWithNotes<T>(path: string, input: Input, onNote: (note: string) => void): Promise<T> {
  const url = toUrl(path)
  const response = await request("POST", url, {
    headers: { "X-CSRF-Token": csrfToken, "Content-Type": "application/json", Accept: "text/event-stream" },
    body: JSON.stringify(input),
  })
  if (!response.ok) throw await toProblem(response, url)
  for await (const { note, result, problem } of readEvents<T>(response.body!)) {
    if (note !== undefined) onNote(note)
    if (problem !== undefined) throw new ApiProblem(problem)
    if (result !== undefined) return result
  }
  throw new ApiProblem({ status: 0, code: "unreachable", detail: "The gateway stopped before it was done." })
}

interface Event<T> {
  readonly note?: string
  readonly result?: T
  readonly problem?: { readonly status: number; readonly code: string; readonly detail: string }
}

/** Reads server-sent events, each of which has one line of JSON. */
async function* readEvents<T>(body: ReadableStream<Uint8Array>): AsyncGenerator<Event<T>> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader()
  let rest = ""
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const lines = (rest + value).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) if (line.startsWith("data: ")) yield JSON.parse(line.slice(6)) as Event<T>
  }
}

async function send<T>(method: string, url: string, init: RequestInit): Promise<T> {
  const response = await request(method, url, init)
  if (!response.ok) throw await toProblem(response, url)
  return response.status === 204 ? (undefined as T) : ((await response.json()) as T)
}

function request(method: string, url: string, init: RequestInit): Promise<Response> {
  return fetch(url, { ...init, method, credentials: "same-origin" }).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") throw error
    throw new ApiProblem({
      status: 0,
      code: "unreachable",
      detail: "The gateway does not answer. It may be restarting.",
    })
  })
}

/** Returns the problem of an answer. A 401 ends the session of this page. */
async function toProblem(response: Response, url: string): Promise<ApiProblem> {
  const problem = (await response.json().catch(() => ({}))) as { detail?: string; code?: string; field?: string }
  // A failed sign-in is 401 as well, and then there is no session yet.
  if (response.status === 401 && csrfToken !== "" && !url.startsWith(`${BASE}/sessions?`)) {
    csrfToken = ""
    onSignedOut()
  }
  return new ApiProblem({
    ...problem,
    status: response.status,
    code: problem.code ?? "unknown",
    detail: problem.detail ?? `The gateway answered with status ${response.status}.`,
  })
}
