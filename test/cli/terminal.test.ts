import { spawn } from "node:child_process"
import { once } from "node:events"
import { closeSync, existsSync, openSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { createInstallation, type Installation } from "../support/gateway.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { noTerminal, runOnTerminal } from "../support/terminal.ts"
import { insertKey, insertRows } from "../support/usage-rows.ts"

const BIN = fileURLToPath(new URL("../../bin/majordomo.mjs", import.meta.url))
const HOSTILE = "a\u202eb\u2066c"

let database: TestDatabase
let home: Installation
beforeAll(async () => {
  database = await createTestDatabase()
  home = createInstallation({ DATABASE_URL: database.url, TZ: "UTC" })
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const key = await insertKey(client, "Development")
  const call = { key, cost: "0.25", at: "2026-01-01T10:00:00Z", model: HOSTILE }
  await insertRows(client, [
    { ...call, metadata: JSON.parse(`{"__proto__": "${HOSTILE}", "Constructor": "x"}`) },
    { ...call, metadata: { "User-Id": "1" } },
  ])
  await client.end()
})
afterAll(async () => {
  await home.remove()
  await database.drop()
})

const PERIOD = ["--since", "2026-01-01", "--until", "2026-01-31"]

describe("[S13] text from outside", () => {
  test("changes the direction of writing in no output, and JSON keeps its value", async () => {
    const commands = [
      ["usage", "--by", "model"],
      ["usage", "--by", "__proto__"],
      ["usage", "requests"],
    ]
    for (const command of commands) {
      for (const form of [[], ["--json"], ["--csv"]]) {
        const { code, stdout, stderr } = await home.run([...command, ...form, ...PERIOD])
        expect([code, stdout.length > 0], [...command, ...form].join(" ")).toEqual([0, true])
        expect(stdout + stderr).not.toMatch(/[\u202e\u2066]/)
        if (form[0] === "--json") expect(JSON.stringify(JSON.parse(stdout))).toContain(HOSTILE)
      }
    }
  })

  test("a metadata name of Object.prototype is a name like any other in --by and --where", async () => {
    const read = async (...args: string[]) =>
      JSON.parse((await home.run(["usage", ...args, ...PERIOD, "--json"])).stdout)
    const { rows } = await read("--by", "__proto__")
    const values = rows.map((row: object) => Object.getOwnPropertyDescriptor(row, "__proto__")?.value)
    expect(values.sort()).toEqual([HOSTILE, null])
    expect((await read("--by", "constructor")).rows.map((row: { Constructor: string }) => row.Constructor)).toEqual(
      expect.arrayContaining(["x", null]),
    )
    expect((await read("--by", "model", "--where", `__proto__=${HOSTILE}`)).total.requests).toBe(1)
    expect((await read("--by", "model", "--where", "constructor=x")).total.requests).toBe(1)
  })

  test.each([
    ["usage", "--sort", "constructor"],
    ["usage", "--by", "toString,valueOf", "--since=2026-01-01"],
    ["usage", "--status", "__proto__"],
    ["__proto__"],
    ["keys", "constructor"],
    ["usage", "--__proto__", "x"],
  ])("%s %s %s is wrong usage", async (...args) => {
    const { code, stdout, stderr } = await home.run(args.filter((arg) => arg !== undefined))
    expect([code, stdout]).toEqual([2, ""])
    expect(stderr).toMatch(/^error: .+\n$/)
    expect(stderr).not.toContain("internal error")
  })

  test("an error shows no credential of a known shape", async () => {
    const { stderr } = await home.run(["usage", "--since", "ghp_0123456789abcdefghijABCDEFGHIJ012345"])
    expect(stderr).toContain('got "***"')
    const doctor = await home.run(["doctor", "--json"], {
      DATABASE_URL: "postgres://me:swordfish@127.0.0.1:1/x",
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: "http://127.0.0.1:1",
      MAJORDOMO_UPSTREAM_PROXY: "http://me:swordfish@127.0.0.1:1",
    })
    expect(doctor.stdout + doctor.stderr).not.toContain("swordfish")
  })
})

describe.skipIf(noTerminal !== undefined)("[U12] on a terminal", () => {
  async function countRows(): Promise<number> {
    const { stdout } = await home.run(["usage", "requests", "--json", ...PERIOD])
    return (JSON.parse(stdout) as unknown[]).length
  }

  test("serve says that it starts before it opens its database, which may take long", async () => {
    // It accepts connections and says nothing, like a server behind a firewall.
    const mute = createServer()
    onTestFinished(() => void mute.close())
    await once(mute.listen(0, "127.0.0.1"), "listening")
    const { port } = mute.address() as AddressInfo
    const env = { HOME: home.home, DATABASE_URL: `postgres://me@127.0.0.1:${port}/x` }
    const { screen } = await runOnTerminal(["serve", "--port", "0"], { env, prompt: /is starting/, answer: "\u0003" })
    expect(screen).toMatch(/^Majordomo Gateway \S+ is starting \(Ctrl-C ends it\)\r\n/)
  })

  test("keys revoke asks, and only yes revokes", async () => {
    const { id } = (await home.runJson(["keys", "create", "--name", "k"])) as { id: string }
    const env = await home.environment()
    const prompt = /Revoke the key .* for good\? \[y\/N\]/
    const no = await runOnTerminal(["keys", "revoke", id], { env, prompt, answer: "" })
    expect(no.code).toBe(1)
    expect(no.screen).toContain("canceled: nothing was changed")
    expect(await home.runJson(["keys", "get", id])).toMatchObject({ status: "active" })
    const yes = await runOnTerminal(["keys", "revoke", id], { env, prompt, answer: "y" })
    expect([yes.code, yes.screen]).toEqual([0, expect.stringContaining("is revoked")])
  })

  test("prune asks, unless --yes or --dry-run is given", async () => {
    const env = await home.environment()
    const prune = ["prune", "--older-than", "1d"]
    const prompt = /Delete requests older than 1d\? This cannot be undone\. \[y\/N\]/
    const no = await runOnTerminal(prune, { env, prompt, answer: "n" })
    expect([no.code, no.screen]).toEqual([1, expect.stringContaining("canceled: nothing was changed")])
    const dry = await runOnTerminal([...prune, "--dry-run"], { env })
    expect([dry.code, dry.screen]).toEqual([0, expect.stringContaining("would be deleted")])
    expect(await countRows()).toBe(2)
    const { code, screen } = await runOnTerminal([...prune, "--yes"], { env })
    expect(screen).not.toContain("[y/N]")
    expect([code, screen, await countRows()]).toEqual([0, expect.stringContaining("2 requests from before"), 0])
  })
})

test.skipIf(!existsSync("/dev/full"))("[U12] output on a full disk is one line and exit code 1", async () => {
  for (const args of [["usage", "--by", "model", "--csv"], ["usage", "--json"], ["keys", "list"], ["--help"]]) {
    const full = openSync("/dev/full", "w")
    const child = spawn(process.execPath, [BIN, ...args], {
      cwd: home.home,
      env: await home.environment(),
      stdio: ["ignore", full, "pipe"],
    })
    closeSync(full)
    const exit = new Promise((resolve) => child.once("close", resolve))
    expect([await text(child.stderr!), await exit]).toEqual(["error: the output cannot be written (ENOSPC)\n", 1])
  }
})
