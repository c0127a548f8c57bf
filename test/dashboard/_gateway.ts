import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import pg from "pg"
import type { Browser, BrowserContextOptions, Page } from "playwright-core"
import { callLocally } from "../../src/api/call.ts"
import { sessions } from "../../src/api/routes/sessions.ts"
import { tokens } from "../../src/api/routes/tokens.ts"
import type { Role } from "../../src/core/actor.ts"
import { createPriceOverrideStore } from "../../src/database/price-overrides.ts"
import { connectToDatabase } from "../../src/operations/open/database.ts"
import { createPriceBook } from "../../src/pricing/price-book.ts"
import { openApi } from "../../src/server/api.ts"
import { createApp } from "../../src/server/app.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { launchBrowser } from "../support/browser.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { HANG_MS } from "../support/until.ts"

export { noBrowser } from "../support/browser.ts"

export type Gateway = Awaited<ReturnType<typeof openGateway>>

/** Starts the admin API with its real access and prices, the dashboard and a browser. `env` has further settings. */
export async function openGateway(env: Readonly<Record<string, string>> = {}) {
  const { url: databaseUrl } = await createTestDatabase()
  const connect = async () => {
    const client = new pg.Client({ connectionString: databaseUrl })
    await client.connect()
    return client
  }
  const client = await connect()
  const { settings } = await loadSettings({ cwd: tmpdir(), env: { DATABASE_URL: databaseUrl, ...env } })
  const database = await connectToDatabase(settings)
  const faults: string[] = []
  const log = (_level: string, line: string) => void faults.push(line)
  const prices = await createPriceBook({
    remoteUrl: "",
    refreshIntervalMs: 1000,
    storedOverrides: createPriceOverrideStore(database, () => {}),
    now: Date.now,
    log: () => {},
  })
  const api = openApi({ settings, log, prices })
  const probe = { metrics: async () => "", check: async () => ({ error: undefined, warnings: [] }), api: api.handle }
  // What belongs neither to the API nor to the dashboard, such as the icon that a browser asks for.
  const proxy = { handle: (_: unknown, response: ServerResponse) => response.writeHead(404).end() } as never
  const policy = { host: "127.0.0.1", allowedHosts: [], corsOrigins: [], metricsToken: undefined }
  const server = createServer(createApp(proxy, probe, policy))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const browser = await launchBrowser()

  const actor = { kind: "command", name: "root", role: "admin", id: null, address: null } as const
  const { signal } = new AbortController()
  const caller = { settings, log: () => {}, onProgress: () => {}, signal, now: Date.now, actor }
  const secrets = new Map<Role, string>()
  const getSecret = async (role: Role) => {
    if (!secrets.has(role)) {
      const { token } = await callLocally(tokens.create, caller, { name: `person-${role}`, role })
      secrets.set(role, token)
    }
    return secrets.get(role)!
  }
  const pages = createPages(browser, origin, faults)
  return {
    client,
    settings,
    /** Opens one more connection to the database. */
    connect,
    /** Returns the admin token of a role. */
    getSecret,
    origin,
    /** Creates the code of a link that signs in once. */
    getCode: async () => (await callLocally(sessions.code, caller, {})).code,
    /** Ends all sessions. */
    signOut: () => client.query("UPDATE majordomo_sessions SET revoked_at = now() WHERE revoked_at IS NULL"),
    /** Exceptions and dialogs of the pages, violations of the Content-Security-Policy, requests to other hosts, and bugs of the API. */
    faults,
    /** Opens a page of the dashboard, signed in with a token of the role. */
    async open(path: string, role: Role = "admin", options: BrowserContextOptions = {}): Promise<Page> {
      const page = await pages.take(options)
      await page.context().request.post(`${origin}/api/v1/sessions`, { data: { token: await getSecret(role) } })
      await page.goto(`${origin}/dashboard/${path}`)
      return page
    },
    /** Gives a page back when its test has ended. */
    release: pages.release,
    async close() {
      await browser.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await api.close()
      await prices.close()
      await database.close()
      await client.end()
    },
  }
}

/** A page keeps its process and its compiled code, so that it opens the dashboard in half of the time of a new one. */
function createPages(browser: Browser, origin: string, faults: string[]) {
  const free = new Map<string, Page>()
  const kinds = new WeakMap<Page, { readonly kind: string; readonly options: BrowserContextOptions }>()
  return {
    /** Returns an empty page without cookies and without stored settings. */
    async take(options: BrowserContextOptions): Promise<Page> {
      const kind = JSON.stringify(options)
      const cleared = free.get(kind)
      free.delete(kind)
      if (cleared) return cleared
      const context = await browser.newContext({ timezoneId: "UTC", ...options })
      const page = await context.newPage()
      page.setDefaultTimeout(HANG_MS)
      watch(page, origin, faults)
      kinds.set(page, { kind, options })
      return page
    },
    async release(page: Page): Promise<void> {
      const { kind, options } = kinds.get(page)!
      const isOfDashboard = page.url().startsWith(origin)
      if (free.has(kind) || !isOfDashboard) return page.context().close()
      free.set(kind, page)
      page.removeAllListeners("response")
      await page.evaluate("localStorage.clear()")
      await page.goto("about:blank") // ends what the page still asks for
      await page.context().clearCookies()
      await page.setViewportSize(options.viewport ?? VIEWPORT)
      await page.mouse.move(0, 0)
    },
  }
}

/** The size of a page unless a test says otherwise. */
const VIEWPORT = { width: 1280, height: 720 }

/** Adds to `faults` whatever a page must not do. */
function watch(page: Page, origin: string, faults: string[]): void {
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
}
