import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import pg from "pg"
import { describe, expect, onTestFinished, test } from "vitest"
import { createTestDatabase, startPostgres } from "../support/postgres.ts"

const connect = async (url: string) => {
  const client = new pg.Client({ connectionString: url })
  client.on("error", () => {})
  await client.connect()
  return client
}

describe("the PostgreSQL of the tests", () => {
  test("test databases are separate", async () => {
    const [one, two] = await Promise.all([createTestDatabase({ empty: true }), createTestDatabase({ empty: true })])
    const [a, b] = await Promise.all([connect(one.url), connect(two.url)])
    await a.query("CREATE TABLE mine ()")
    expect((await b.query("SELECT to_regclass('mine') AS found")).rows).toEqual([{ found: null }])
    await Promise.all([a.end(), b.end()])
    await one.drop()
    await expect(connect(one.url)).rejects.toMatchObject({ code: "3D000" })
  })

  test("a private server keeps its data over stop, kill and start, and does not answer while it is frozen", async () => {
    const server = await startPostgres()
    onTestFinished(server.remove)
    const first = await connect(server.url)
    await first.query("CREATE TABLE kept AS SELECT 1 AS n")
    await server.freeze()
    const answer = first.query("SELECT n FROM kept")
    const early = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 200, "silence"))])
    expect(early).toBe("silence")
    await server.thaw()
    expect((await answer).rows).toEqual([{ n: 1 }])
    for (const end of [server.stop, server.kill]) {
      await end()
      await expect(connect(server.url)).rejects.toMatchObject({ code: "ECONNREFUSED" })
      await server.start()
      const again = await connect(server.url)
      expect((await again.query("SELECT n FROM kept")).rows).toEqual([{ n: 1 }])
      await again.end()
    }
  })

  test("a server whose test process is killed ends, and its directory is removed", async () => {
    const path = fileURLToPath(new URL("../support/_postgres-server.ts", import.meta.url))
    const script = `import { createJiti } from "jiti"
      const { startPostgres } = await createJiti(import.meta.url).import(${JSON.stringify(path)})
      console.log(JSON.stringify(await startPostgres()))
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    })
    const server = await new Promise<{ url: string; socketDir: string }>((resolve) => {
      child.stdout.once("data", (chunk) => resolve(JSON.parse(String(chunk))))
    })
    const client = await connect(server.url)
    const gone = new Promise((resolve) => client.once("end", resolve))
    child.kill("SIGKILL")
    await gone
    await expect.poll(() => existsSync(server.socketDir)).toBe(false)
  })
})
