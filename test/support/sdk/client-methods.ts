import type { SdkMethod } from "./method.ts"

/** What the two SDKs of Stainless have in common: a tree of resources, whose methods send one request each. */
type Client = object

const SENDS = /this\._client\s*\.(?:get|post|put|patch|delete|getAPIList)\(/
/** Names of parameters that hold members of the body or the query, not an identifier. */
const OBJECTS = /^(?:_?params|body|query|options)\d*$/
const ORIGIN = "http://sdk.test"

/** Calls each method of a client once, and returns the requests that it sends. The client must use `fetch`. */
export class ClientMethods {
  private readonly sent: { verb: string; path: string }[] = []

  /** The function that the client uses instead of the network. Every answer names the results of a batch. */
  readonly fetch = async (target: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const { pathname } = new URL(target instanceof Request ? target.url : target)
    this.sent.push({ verb: init?.method?.toUpperCase() ?? "GET", path: decodeURIComponent(pathname) })
    return Response.json({ id: "{id}", data: [], results_url: `${ORIGIN}/v1/messages/batches/{id}/results` })
  }

  async list(sdk: SdkMethod["sdk"], client: Client): Promise<SdkMethod[]> {
    const methods: SdkMethod[] = []
    for (const [name, resource, method] of resourceMethods(client, "")) {
      this.sent.length = 0
      const parameters = parametersOf(method).map((parameter) => (OBJECTS.test(parameter) ? ANY : `{${parameter}}`))
      try {
        await method.apply(resource, parameters)
      } catch {
        // The answer does not fit. Only the request counts.
      }
      const last = this.sent.at(-1)
      if (!last) throw new Error(`${sdk}: ${name}(${parametersOf(method).join(", ")}) sent no request`)
      methods.push({ sdk, name, ...last })
    }
    return methods
  }
}

/** An object with a text for every member, so that each identifier in it becomes part of the path. */
const ANY: object = new Proxy(
  {},
  {
    get: (_, name) =>
      typeof name === "string" && /^[a-z]+(_[a-z]+)*_(id|checkpoint|group|type)$/.test(name) ? `{${name}}` : undefined,
  },
)

type Method = (...parameters: unknown[]) => unknown

function* resourceMethods(resource: object, prefix: string): Generator<[string, object, Method]> {
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(resource))) {
    const method = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(resource), name)?.value as unknown
    if (prefix === "" || name === "constructor" || typeof method !== "function") continue
    if (SENDS.test(method.toString())) yield [prefix + name, resource, method as Method]
  }
  for (const [name, value] of Object.entries(resource)) {
    if (typeof value === "object" && value !== null && "_client" in value)
      yield* resourceMethods(value, `${prefix}${name}.`)
  }
}

/** Returns the names of a function's parameters, of which none has a default that contains a comma. */
function parametersOf(method: Method): string[] {
  const list = /\(([^)]*)\)/.exec(method.toString())?.[1] ?? ""
  return list.split(",").flatMap((each) => each.trim().split(/\s*=/)[0]!.trim() || [])
}
