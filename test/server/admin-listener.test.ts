import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createInstallation, type Installation } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"

/** Returns a port that is free now. */
async function findPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

describe("with admin.port, the admin API and the dashboard have a listener of their own", () => {
  let installation: Installation
  beforeAll(async () => {
    installation = createInstallation({ DATABASE_URL: (await createTestDatabase()).url })
  })
  afterAll(() => installation.remove())

  test.each([1, 2])("with %i processes, and the gateway's port does not serve them", async (workers) => {
    const port = await findPort()
    const settings = { MAJORDOMO_ADMIN_PORT: String(port), MAJORDOMO_SERVER_WORKERS: String(workers) }
    const gateway = await installation.serve({ settings })
    const admin = `http://127.0.0.1:${port}`
    const statusOf = async (url: string) => (await fetch(url, { redirect: "manual" })).status
    expect(await statusOf(`${admin}/api/v1/keys`)).toBe(401)
    expect(await statusOf(`${admin}/dashboard`)).toBe(308)
    expect(await statusOf(`${admin}/health`)).toBe(200)
    expect(await statusOf(`${admin}/v1/models`)).toBe(404)
    expect(await statusOf(`${gateway.origin}/health`)).toBe(200)
    for (const path of ["/api/v1/keys", "/dashboard"]) expect(await statusOf(gateway.origin + path), path).toBe(404)
    expect(await gateway.stop()).toMatchObject({ code: 0 })
  })

  test("a port that is taken ends the start with a line that names the setting", async () => {
    const blocker = createServer()
    await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve))
    const { port } = blocker.address() as AddressInfo
    const { code, stderr } = await installation.run(["serve", "--port", "0"], { MAJORDOMO_ADMIN_PORT: String(port) })
    blocker.close()
    expect(code).toBe(1)
    expect(stderr).toContain(`Port ${port} on 127.0.0.1 is in use`)
    expect(stderr).toContain("admin.port")
  })
})
