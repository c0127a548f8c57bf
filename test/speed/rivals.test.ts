import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import pg from "pg"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { type BenchRival, loadRivals } from "../support/bench.ts"
import { createTestDatabase } from "../support/postgres.ts"

/** A gateway that answers everything with 200, and prints its process id in its answers. */
const GATEWAY = `#!/usr/bin/env node
require("node:http").createServer((request, response) => response.end(String(process.pid))).listen(process.env.PORT, "127.0.0.1")
`

describe("a rival of the benchmark", () => {
  let dir = ""
  let serverUrl = ""
  let started: BenchRival | undefined

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "mdm-rival-"))
    serverUrl = (await createTestDatabase({ empty: true })).url
  })
  afterEach(async () => {
    await started?.stop()
    started = undefined
    rmSync(dir, { recursive: true, force: true })
  })

  async function start(scripts: Readonly<Record<string, string>>): Promise<BenchRival> {
    const home = join(dir, "some-gateway")
    mkdirSync(home)
    for (const [name, text] of Object.entries(scripts)) {
      writeFileSync(join(home, name), text)
      chmodSync(join(home, name), 0o755)
    }
    const { startRival } = await loadRivals()
    const where = { origin: "http://127.0.0.1:9", databaseUrl: serverUrl, directory: join(dir, "work") }
    started = await startRival({ name: "some-gateway", dir: home }, where)
    return started
  }

  async function query(url: string, sql: string): Promise<readonly unknown[]> {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    try {
      return (await client.query(sql)).rows as readonly unknown[]
    } finally {
      await client.end()
    }
  }

  const databases = () => query(serverUrl, "SELECT FROM pg_database WHERE datname LIKE 'majordomo_rival_some_gateway'")

  test("gets a database of its own, which is dropped with it", async () => {
    const rival = await start({ start: GATEWAY })
    expect(await databases()).toHaveLength(1)
    const pid = await (await fetch(`http://127.0.0.1:${rival.port}/`)).text()
    expect(Number(pid)).toBe(rival.pid)
    await rival.stop()
    expect(await databases()).toHaveLength(0)
    expect(() => process.kill(rival.pid, 0)).toThrow()
  })

  test("states its version, its path and its headers, which replace those of the benchmark in any case of letters", async () => {
    const rival = await start({
      start: GATEWAY,
      version: "#!/bin/sh\necho 1.2.3",
      path: "#!/bin/sh\necho /openai/v1/chat/completions",
      headers: '#!/bin/sh\necho "Authorization: Bearer $KEY"\necho X-Port: $PORT',
    })
    expect(rival).toMatchObject({
      name: "some-gateway 1.2.3",
      path: "/openai/v1/chat/completions",
      headers: { authorization: expect.stringMatching(/^Bearer sk-bench-/), "x-port": String(rival.port) },
    })
  })

  test("counts the rows that were added since it was ready", async () => {
    const rival = await start({
      start: GATEWAY,
      rows: '#!/bin/sh\ncat "$WORK_DIR/rows" 2>/dev/null || echo 5',
    })
    expect(await rival.countRows()).toBe(0)
    writeFileSync(join(dir, "work", "some-gateway", "rows"), "12\n")
    expect(await rival.countRows()).toBe(7)
  })

  test.each([
    ["has no script for them", undefined],
    ["prints a word", "echo none"],
    ["prints nothing", "true"],
  ])("writes no rows when it %s", async (_how, rows) => {
    const rival = await start({ start: GATEWAY, ...(rows !== undefined && { rows: `#!/bin/sh\n${rows}` }) })
    expect(await rival.countRows()).toBeUndefined()
  })

  test.each([
    [
      "ends with a status",
      "#!/bin/sh\necho the program is not installed >&2\nexit 3",
      /ended \(3\) before it was ready/,
    ],
    [
      "is killed",
      "#!/bin/sh\necho the program is not installed >&2\nkill -9 $$",
      /ended \(SIGKILL\) before it was ready/,
    ],
    ["cannot be executed", "#!/nowhere/interpreter\n", /ENOENT/],
  ])("that %s is reported at once, with the end of its log, and leaves no database", async (how, script, reason) => {
    const failing = start({ start: script })
    await expect(failing).rejects.toThrow(reason)
    if (how !== "cannot be executed") await expect(failing).rejects.toThrow("the program is not installed")
    expect(await databases()).toHaveLength(0)
  })
})
