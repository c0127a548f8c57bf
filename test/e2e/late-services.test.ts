import { readdirSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { expect, it, onTestFinished } from "vitest"
import { firstKey } from "../chaos/_books.ts"
import { askOnce } from "../chaos/_load.ts"
import { startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation } from "../support/gateway.ts"
import { createTestDatabase, startPostgres } from "../support/postgres.ts"

const OFFLINE = { MAJORDOMO_PRICING_REMOTE_URL: "" }

it.each([1, 2])(
  "[O4] with %i processes, serve waits for a PostgreSQL that starts later, says so, and is live but not ready meanwhile",
  async (workers) => {
    const postgres = await startPostgres()
    onTestFinished(() => postgres.remove())
    await postgres.stop()
    const port = await findFreePort()
    const installation = createInstallation({
      ...OFFLINE,
      DATABASE_URL: postgres.url,
      MAJORDOMO_SERVER_WORKERS: String(workers),
      MAJORDOMO_STORAGE_WAIT: "10m",
    })
    onTestFinished(() => installation.remove())
    const ended = installation.run(["serve", "--port", String(port)])
    const ask = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined))?.status
    await expect.poll(() => ask("/health")).toBe(200)
    expect(await ask("/readyz")).toBe(503)
    expect((await installation.run(["health", "--port", String(port)])).stderr).toContain("waiting for its database")
    await postgres.start()
    await expect.poll(() => ask("/readyz")).toBe(200)
    const [announced = ""] = readdirSync(join(installation.home, ".majordomo", "running"))
    process.kill(Number.parseInt(announced, 10), "SIGTERM")
    const { code, stdout, stderr } = await ended
    expect(code).toBe(0)
    expect(stdout).toContain("Connected to PostgreSQL")
    expect(stderr.split("(storage.wait)")).toHaveLength(2)
  },
)

it("[O4] serve gives up after storage.wait, with the reason", async () => {
  const settings = { DATABASE_URL: `postgres://a@127.0.0.1:${await findFreePort()}/b`, MAJORDOMO_STORAGE_WAIT: "1s" }
  const installation = createInstallation({ ...OFFLINE, ...settings })
  onTestFinished(() => installation.remove())
  const { code, stderr } = await installation.run(["serve", "--port", "0"])
  expect([code, stderr]).toEqual([1, expect.stringMatching(/"level":"error","message":"no PostgreSQL listens at/)])
})

it("[O8] stopping does not wait for an S3 that is away: the bodies are on the disk, and the log says so", async () => {
  const provider = await startFakeProvider()
  onTestFinished(() => provider.close())
  const installation = createInstallation({
    ...OFFLINE,
    DATABASE_URL: (await createTestDatabase()).url,
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: provider.origin,
    MAJORDOMO_LOGGING_BODY_STORAGE: "s3",
    MAJORDOMO_S3_ENABLED: "true",
    MAJORDOMO_S3_BUCKET: "bodies",
    MAJORDOMO_S3_ENDPOINT: `http://127.0.0.1:${await findFreePort()}`,
    MAJORDOMO_S3_ACCESS_KEY_ID: "a",
    MAJORDOMO_S3_SECRET_ACCESS_KEY: "b",
    // A shutdown that waited for S3 would take this long, which the time limit of the test does not allow.
    MAJORDOMO_SERVER_SHUTDOWN_TIMEOUT: "10m",
  })
  onTestFinished(() => installation.remove())
  const gateway = await installation.serve()
  expect(await askOnce({ key: firstKey(gateway), port: gateway.port, tag: "a", stream: false })).toBeUndefined()
  const { code, stderr } = await gateway.stop()
  expect([code, stderr]).toEqual([0, expect.stringMatching(/bodies: 1 kept = 0 uploaded \+ 1 waiting \+ 0 lost/)])
})

/** A port on which nothing listens, unless another program takes it. */
async function findFreePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
