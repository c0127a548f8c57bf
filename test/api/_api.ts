import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { callLocally } from "../../src/api/call.ts"
import { sessions } from "../../src/api/routes/sessions.ts"
import { tokens } from "../../src/api/routes/tokens.ts"
import type { Role } from "../../src/core/actor.ts"
import { connectToDatabase } from "../../src/operations/open/database.ts"
import { openApi } from "../../src/server/api.ts"
import { createApp } from "../../src/server/app.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { createTestDatabase } from "../support/postgres.ts"

/** Starts the admin API on a port of the loopback interface, with a database of its own. */
export async function startAdminApi(env: Readonly<Record<string, string>> = {}) {
  const { url: databaseUrl } = await createTestDatabase()
  const { settings } = await loadSettings({ cwd: tmpdir(), env: { DATABASE_URL: databaseUrl, ...env } })
  const database = await connectToDatabase(settings)
  const bugs: string[] = []
  const api = openApi({ settings, log: (_, line) => void bugs.push(line), prices: undefined as never })
  const probe = { metrics: async () => "", check: async () => ({ error: undefined, warnings: [] }), api: api.handle }
  const policy = { host: "127.0.0.1", allowedHosts: [], corsOrigins: [], metricsToken: undefined }
  const server = createServer(createApp(undefined as never, probe, { ...policy, adminHosts: settings.admin.hosts }))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const actor = { kind: "command", name: "root", role: "admin", id: null, address: null } as const
  const { signal } = new AbortController()
  const caller = { settings, log: () => {}, onProgress: () => {}, signal, now: Date.now, actor }
  return {
    url,
    database,
    bugs,
    caller,
    createToken: (role: Role, expires?: string) => callLocally(tokens.create, caller, { name: role, role, expires }),
    createCode: () => callLocally(sessions.code, caller, {}),
    ask: (path: string, token?: string, method = "GET") =>
      fetch(`${url}/api/v1${path}`, { method, ...(token && { headers: { Authorization: `Bearer ${token}` } }) }),
    async close() {
      await new Promise((resolve) => server.close(resolve))
      await api.close()
      await database.close()
    },
  }
}

export type AdminApi = Awaited<ReturnType<typeof startAdminApi>>
