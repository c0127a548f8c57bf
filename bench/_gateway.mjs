import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import pg from "pg"
import { requestsThrough, runGateway, startGateway } from "./_processes.mjs"

/** Returns the PostgreSQL that `DATABASE_URL` names, or starts one. */
export async function findDatabase() {
  if (process.env.DATABASE_URL) return { url: process.env.DATABASE_URL, stop: () => {} }
  const { startPostgres } = await import("../test/support/_postgres-server.ts")
  const server = await startPostgres()
  return { url: server.url, stop: () => server.remove() }
}

/**
 * Starts the gateway with everything on: key check, metering, pricing, journal and PostgreSQL.
 *
 * @param {{ origin: string, databaseUrl: string, directory: string, name?: string, more?: Record<string, string>,
 *   program?: string }} options `program` is another build
 */
export async function startWholeGateway({ origin, databaseUrl, directory, name = "gateway", more = {}, program }) {
  const settings = {
    HOME: directory,
    DATABASE_URL: databaseUrl,
    MAJORDOMO_SERVER_PORT: "0",
    MAJORDOMO_STORAGE_DATA_DIR: join(directory, name.replaceAll(/\W+/g, "-")),
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: origin,
    MAJORDOMO_PROVIDERS_ANTHROPIC_BASE_URL: origin,
    MAJORDOMO_PROVIDERS_GEMINI_BASE_URL: origin,
    MAJORDOMO_PRICING_REMOTE_URL: "",
    ...more,
  }
  runGateway(["migrate"], settings, directory)
  const { id, key } = JSON.parse(runGateway(["keys", "create", "--name", name, "--json"], settings, directory))
  const running = await startGateway(settings, directory, program)
  const rows = async () => {
    const requests = requestsThrough(running.port)
    return { requests, written: await countRows(databaseUrl, id, requests) }
  }
  return { name, headers: { "x-majordomo-key": key }, rows, settings, ...running }
}

/** Waits up to a minute until the key has as many rows as expected. */
async function countRows(/** @type {string} */ url, /** @type {string} */ keyId, /** @type {number} */ expected) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const deadline = Date.now() + 60_000
    for (;;) {
      const text = "SELECT count(*)::int AS rows FROM llm_requests WHERE majordomo_api_key_id = $1"
      const written = (await client.query(text, [keyId])).rows[0].rows
      if (written >= expected || Date.now() > deadline) return written
      await sleep(200)
    }
  } finally {
    await client.end()
  }
}
