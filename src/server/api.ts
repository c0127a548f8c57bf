import { version } from "../../package.json"
import { type Access, createAccess } from "../api/access.ts"
import { createDirectCall } from "../api/direct.ts"
import { type ApiHandlerDeps, createApiHandler } from "../api/handle.ts"
import { toExchange } from "../api/http.ts"
import { createRouter } from "../api/router.ts"
import { ROUTES } from "../api/routes/index.ts"
import { type BodyReader, createBodyReader } from "../bodies/read.ts"
import type { Settings } from "../config/settings.ts"
import type { Database } from "../database/_database.ts"
import { explainServerError } from "../database/failures.ts"
import type { McpEndpoint } from "../mcp/http.ts"
import { connectToDatabase } from "../operations/open/database.ts"
import type { Replica } from "../operations/open/replica.ts"
import type { PriceBook } from "../pricing/price-book.ts"
import { answerNotLoaded } from "./not-loaded.ts"
import { once } from "./once.ts"
import type { ServerOptions } from "./options.ts"

export interface Api {
  /** Answers a request below `/api/v1`, or to `/mcp`. Never rejects. */
  handle(request: Request): Promise<Response>
  /** Whether a request comes with a valid admin token or session. Never rejects. */
  isAdmitted(request: Request): Promise<boolean>
  close(): Promise<void>
}

export type ApiOptions = Pick<ServerOptions, "settings" | "log"> & {
  readonly prices: PriceBook
  /** The replica from which reports are read, if there is one. Whoever has opened it closes it. */
  readonly replica?: Replica | undefined
  /** Finds out who calls, and rejects who may not. Default: by admin tokens and sessions. */
  readonly authenticate?: Access["authenticate"]
}

/**
 * Opens the admin API. It has connections of its own to the database, so that a report never takes one from the ledger; they
 * are opened by the first request that needs them.
 */
export function openApi({ settings, log, prices, replica, authenticate }: ApiOptions): Api {
  const database = once<Database>(() => connectToDatabase(withFewConnections(settings)))
  const bodies = once<BodyReader>(async () => createBodyReader(settings.s3))
  const choose = async (readsReplica = false) =>
    readsReplica && replica !== undefined ? replica.choose(await database.get()) : database.get()
  const created = createAccess({ database: database.get, settings, now: Date.now })
  const access = { ...created, authenticate: authenticate ?? created.authenticate }
  const deps: Omit<ApiHandlerDeps, "router"> = {
    access,
    async open({ needs, readsReplica }) {
      return {
        settings,
        prices,
        now: Date.now,
        ...(needs.includes("prices") && { database: await database.get().catch(() => undefined) }),
        // A gateway has a database: what it does for others belongs into the audit log.
        ...((needs.includes("database") || needs.includes("database?")) && { database: await choose(readsReplica) }),
        ...(needs.includes("replica") && { replica }),
        ...(needs.includes("connect") && { connect: () => share(database.get()) }),
        ...(needs.includes("bodies") && { bodies: await bodies.get() }),
      } as Awaited<ReturnType<ApiHandlerDeps["open"]>>
    },
    explain: explainServerError,
    onChange: () => replica?.noteChange(),
    onBug: (route, error) => log("error", `the admin API, ${route}: ${error instanceof Error ? error.stack : error}`),
    now: Date.now,
  }
  const handle = createApiHandler({ ...deps, router: createRouter(ROUTES) })
  const mcp = once(async () => {
    const { createMcpEndpoint } = await import("../mcp/http.ts")
    return createMcpEndpoint({ ...deps, version, call: createDirectCall(deps) })
  })
  return {
    handle: (request) => (isMcp(request) ? answerMcp(mcp.get, request, log) : handle(request)),
    isAdmitted: (request) =>
      access.authenticate(toExchange(request), "viewer").then(
        () => true,
        () => false,
      ),
    async close() {
      await mcp.close()
      await database.close()
      await bodies.close()
    },
  }
}

const isMcp = ({ url }: Request) => new URL(url).pathname === "/mcp"

/** Loads the MCP server with its first request. */
async function answerMcp(
  load: () => Promise<McpEndpoint>,
  request: Request,
  log: ApiOptions["log"],
): Promise<Response> {
  try {
    return await (await load()).handle(request)
  } catch (error) {
    return answerNotLoaded("the MCP server", error, log)
  }
}

/** Reports wait for each other rather than for the ledger: the database has only so many connections and processors. */
const MAX_CONNECTIONS = 5

function withFewConnections({ storage }: Settings): Pick<Settings, "storage"> {
  const { postgres } = storage
  return { storage: { ...storage, postgres: { ...postgres, maxConns: Math.min(MAX_CONNECTIONS, postgres.maxConns) } } }
}

/** Returns a database that stays open when its user closes it. */
async function share(opened: Promise<Database>): Promise<Database> {
  return Object.assign(Object.create(await opened), { close: async () => {} })
}
