import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { H3, toNodeHandler } from "h3"
import pg from "pg"
import type { Browser, BrowserContextOptions, Page } from "playwright-core"
import type { Actor } from "../../src/core/actor.ts"
import { openApi } from "../../src/server/api.ts"
import { createDashboard } from "../../src/server/dashboard.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { launchBrowser } from "../support/browser.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { HANG_MS } from "../support/until.ts"

export { noBrowser } from "../support/browser.ts"

const ACTOR: Actor = { kind: "session", name: "Ada", role: "admin", id: null, address: null }

/** The only token that signs in. */
export const TOKEN = "mdm_admin_right"
const CODE = "code-of-a-link"

export interface Fixture {
  readonly client: pg.Client
  readonly origin: string
  /** What went wrong in the pages: exceptions, violations of the Content-Security-Policy, requests to other hosts. */
  readonly faults: string[]
  /** Ends all sessions. */
  signOut(): void
  /** Opens a page that is signed in. */
  open(path: string, options?: BrowserContextOptions): Promise<Page>
  close(): Promise<void>
}

/** Starts the API, the dashboard and a browser. The built files are those of `npm run build`. */
export async function openFixture(): Promise<Fixture> {
  const database = await createTestDatabase()
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const { settings } = await loadSettings({ cwd: tmpdir(), env: { DATABASE_URL: database.url } })
  const faults: string[] = []
  const log = (_level: string, line: string) => void faults.push(line)
  const api = openApi({ settings, log, prices: undefined as never, authenticate: async () => ({ actor: ACTOR }) })
  const sessions = createSessions()
  const server = await serve(sessions, api.handle)
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const browser = await launchBrowser()
  return {
    client,
    origin,
    faults,
    signOut: sessions.signOut,
    open: async (path, options) => openPage(browser, origin, path, { options, faults, signIn: sessions.signIn }),
    async close() {
      await browser.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await api.close()
      await client.end()
    },
  }
}

/** Who is signed in; the rest of the API is the real one. */
function createSessions() {
  const session = { name: "Ada", role: "admin", csrf_token: "csrf", expires_at: "2100-01-01T00:00:00Z" }
  let isSignedIn = false
  const reject = () =>
    Response.json({ status: 401, code: "unauthorized", detail: "This token is not valid." }, { status: 401 })
  const app = new H3()
    .get("/api/v1/session", () => (isSignedIn ? Response.json(session) : reject()))
    .get("/api/v1/sign-in", () => ({ oidc: false }))
    .post("/api/v1/sessions", async ({ req }) => {
      const proof = (await req.json()) as { token?: string; code?: string }
      isSignedIn = proof.token === TOKEN || proof.code === CODE
      return isSignedIn ? Response.json(session, { status: 201 }) : reject()
    })
    .delete("/api/v1/session", ({ req }) => {
      if (req.headers.get("x-csrf-token") !== "csrf") return Response.json({ status: 403 }, { status: 403 })
      isSignedIn = false
      return new Response(null, { status: 204 })
    })
  return {
    app,
    isSignedIn: () => isSignedIn,
    reject,
    signIn: () => {
      isSignedIn = true
    },
    signOut: () => {
      isSignedIn = false
    },
  }
}

async function serve(
  sessions: ReturnType<typeof createSessions>,
  api: (request: Request) => Promise<Response>,
): Promise<Server> {
  const { app } = sessions
  const dashboard = createDashboard(new URL("../../dist/dashboard", import.meta.url).pathname)
  for (const path of ["/dashboard", "/dashboard/**"]) app.get(path, ({ req }) => dashboard(req))
  app.all("/api/v1/**", ({ req }) => (sessions.isSignedIn() ? api(req) : sessions.reject()))
  const server = createServer(toNodeHandler(app))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return server
}

interface PageOptions {
  readonly options: BrowserContextOptions | undefined
  readonly faults: string[]
  readonly signIn: () => void
}

async function openPage(browser: Browser, origin: string, path: string, { options, faults, signIn }: PageOptions) {
  signIn()
  const page = await browser.newPage({ timezoneId: "UTC", ...options })
  page.setDefaultTimeout(HANG_MS)
  page.on("pageerror", (error) => faults.push(error.message))
  page.on("console", (message) => {
    if (/Content Security Policy|Uncaught/.test(message.text())) faults.push(message.text())
  })
  page.on("dialog", (dialog) => {
    faults.push(`a dialog opened: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on("request", (request) => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(origin)) faults.push(request.url())
  })
  await page.goto(origin + path)
  return page
}
