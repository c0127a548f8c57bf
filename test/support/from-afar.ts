import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { connectToDatabase } from "../../src/operations/open/database.ts"
import { openPrices } from "../../src/operations/open/prices.ts"
import { openApi } from "../../src/server/api.ts"
import { createApp } from "../../src/server/app.ts"
import { loadSettings } from "../../src/server/settings.ts"
import type { Installation, RunningGateway, Settings } from "./gateway.ts"
import { runInProcess, runUntilEnough, withEnvironment } from "./in-process.ts"

/** The admin token of every gateway. It is a setting, so that it works without a database, too. */
const TOKEN = "admin-token-of-the-tests-from-afar"

/** Commands that work on the machine on which they run. They run as always. */
const OF_THIS_MACHINE = /^(serve|migrate|backup|restore|doctor|health|service|login|vault (init|rotate))\b/

/**
 * Makes the commands of an installation ask a gateway that has the same settings: the one that the test serves, or else
 * one in this process that has the admin API and nothing else. Commands run in this process, too, because starting one
 * takes longer than what it does.
 */
export function sendFromAfar(here: Installation): Installation {
  const gateways = createGateways()
  let served: (RunningGateway & { readonly settings: string }) | undefined

  const isOfThisMachine = (args: readonly string[]) =>
    OF_THIS_MACHINE.test(args.join(" ")) || args.some((arg) => /^--(config|demo)(=|$)/.test(arg))

  async function findEnvironment(settings: Settings): Promise<Settings> {
    const env = await here.environment(settings)
    if (env["MAJORDOMO_GATEWAY_URL"] !== undefined) return env
    const origin = served?.settings === toKey(settings) ? served.origin : await gateways.find(env)
    return { ...env, MAJORDOMO_GATEWAY_URL: origin, MAJORDOMO_ADMIN_TOKEN: TOKEN }
  }

  const installation: Installation = {
    ...here,
    environment: (settings = {}) => findEnvironment(settings),
    async run(args, settings = {}, input) {
      if (isOfThisMachine(args)) return here.run(args, settings, input)
      return runInProcess(args, { env: await findEnvironment(settings), input })
    },
    async runUntil(isEnough, args, settings = {}) {
      return runUntilEnough(isEnough, args, await findEnvironment(settings))
    },
    async runJson(args, settings, input) {
      const { code, stdout, stderr } = await installation.run([...args, "--json"], settings, input)
      if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${stderr}`)
      return JSON.parse(stdout)
    },
    async serve({ args = [], settings = {} } = {}) {
      const gateway = await here.serve({ args, settings: { MAJORDOMO_ADMIN_TOKEN: TOKEN, ...settings } })
      served = Object.assign(gateway, { settings: toKey(settings) })
      void gateway.ended.then(() => {
        if (served === gateway) served = undefined
      })
      return gateway
    },
    async remove() {
      await gateways.close().finally(here.remove)
    },
  }
  return installation
}

const toKey = (settings: Settings) => JSON.stringify(Object.entries(settings).sort())

/** Opens one gateway for each set of settings. */
function createGateways() {
  const open = new Map<string, Promise<{ readonly origin: string; close(): Promise<void> }>>()
  return {
    async find(env: Settings): Promise<string> {
      const key = toKey(env)
      if (!open.has(key)) open.set(key, openGateway(env))
      return (await open.get(key)!).origin
    },
    async close() {
      await Promise.all([...open.values()].map((each) => each.then((gateway) => gateway.close())))
    },
  }
}

/** The gateway fetches no price list unless the test serves one. */
const NO_LISTS = { MAJORDOMO_PRICING_REMOTE_URL: "", MAJORDOMO_PRICING_CATALOG_URL: "" }

/** Starts the admin API with its real prices. Like a gateway that has run for a while, it goes on without its database. */
async function openGateway(env: Settings) {
  const bugs: string[] = []
  const { settings, api, prices, database } = await withEnvironment(env, async () => {
    const { settings } = await loadSettings({ env: { ...NO_LISTS, ...env, MAJORDOMO_ADMIN_TOKEN: TOKEN } })
    const database = await connectToDatabase(settings).catch(() => undefined)
    const prices = await openPrices({ settings, database, log: () => {} })
    prices.start()
    const api = openApi({ settings, prices, log: (_, line) => void bugs.push(line) })
    return { settings, api, prices, database }
  })
  const probe = { metrics: async () => "", check: async () => ({ error: undefined, warnings: [] }), api: api.handle }
  const server = createServer(createApp(undefined as never, probe, { ...settings.server, host: "127.0.0.1" }))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await api.close()
      await prices.close()
      await database?.close()
      if (bugs.length > 0) throw new Error(bugs.join("\n"))
    },
  }
}
