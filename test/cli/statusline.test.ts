import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import type { Writable } from "node:stream"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type AgentState, drawStatusLine, toStatusLine } from "../../src/cli/_status-line.ts"
import { createInstallation, type Installation, type RunningGateway, type Settings } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { insertRows } from "../support/usage-rows.ts"

const BIN = fileURLToPath(new URL("../../bin/majordomo.mjs", import.meta.url))

const STATE = {
  session_id: "5e55",
  cost: { total_cost_usd: 0.0734 },
  model: { id: "claude-opus-4-8", display_name: "Opus 4.8" },
  workspace: { current_dir: "/home/ana/search", project_dir: "/home/ana/search" },
}

interface CreatedKey {
  readonly id: string
  readonly key: string
}

let installation: Installation
let gateway: RunningGateway
let client: pg.Client
let own: CreatedKey
let other: CreatedKey

beforeAll(async () => {
  const { url } = await createTestDatabase()
  installation = createInstallation({ DATABASE_URL: url, MAJORDOMO_PRICING_REMOTE_URL: "", TZ: "UTC", NO_COLOR: "1" })
  own = (await installation.runJson(["keys", "create", "--name", "Ana"])) as CreatedKey
  other = (await installation.runJson(["keys", "create", "--name", "Ben"])) as CreatedKey
  const limit = ["--measure", "cost", "--amount", "50", "--window", "month", "--key", "Ana"]
  await installation.runJson(["limits", "create", "ana", ...limit])
  await installation.runJson([
    "limits",
    "create",
    "many",
    "--measure",
    "requests",
    "--amount",
    "1000",
    "--window",
    "month",
  ])
  client = new pg.Client({ connectionString: url })
  await client.connect()
  await insertRows(client, [
    { key: own.id, model: "claude-opus-4-8", cost: "1.236", metadata: { "Session-Id": "5e55" } },
    { key: own.id, model: "claude-opus-4-8", cost: "17.164", metadata: { "Session-Id": "earlier" } },
    { key: other.id, model: "gpt-5", cost: "100", metadata: { "Session-Id": "bens" } },
    {
      key: own.id,
      cost: "3",
      metadata: { "Session-Id": "plan" },
      at: new Date(Date.now() - 40 * 86_400_000).toISOString(),
    },
  ])
  await client.query(`UPDATE llm_requests SET billing = 'subscription' WHERE raw_metadata ->> 'Session-Id' = 'plan'`)
  gateway = await installation.serve()
  // The first question loads the admin API, for which a busy machine may take longer than a status line waits.
  const answer = await fetch(`${gateway.origin}/api/v1/me/spending`, { headers: { "X-Majordomo-Key": own.key } })
  expect(answer.status).toBe(200)
})
afterAll(async () => {
  await client?.end()
  await installation?.remove()
})

/** Runs the command as Claude Code does, whose own requests go to the gateway. */
const draw = (settings: Settings = {}, args: readonly string[] = [], state: unknown = STATE) => {
  const env = {
    DATABASE_URL: "",
    ANTHROPIC_BASE_URL: gateway.origin,
    ANTHROPIC_CUSTOM_HEADERS: `X-Majordomo-Feature: code\nX-Majordomo-Key: ${own.key}`,
    ...settings,
  }
  return installation.run(["statusline", ...args], env, typeof state === "string" ? state : JSON.stringify(state))
}

describe("the status line shows", () => {
  test("the cost of the session and of the day, and what is left of the nearest budget", async () => {
    const { code, stdout, stderr } = await draw()
    expect([code, stdout, stderr]).toEqual([0, "$1.24 session · $18.40 today · $31.60 of $50 left\n", ""])
  })

  test("the same with a gateway key in the place of the provider's, and with the variables of the gateway", async () => {
    const places: readonly Settings[] = [
      { ANTHROPIC_CUSTOM_HEADERS: "", ANTHROPIC_AUTH_TOKEN: own.key },
      {
        ANTHROPIC_CUSTOM_HEADERS: "",
        ANTHROPIC_BASE_URL: "",
        MAJORDOMO_GATEWAY_URL: gateway.origin,
        MAJORDOMO_API_KEY: own.key,
      },
      { ANTHROPIC_BASE_URL: `${gateway.origin}/anthropic` },
    ]
    for (const settings of places) expect((await draw(settings)).stdout).toContain("$1.24 session · $18.40 today")
  })

  test("with an admin token what all keys cost", async () => {
    const { token } = (await installation.runJson(["tokens", "create", "--name", "t", "--role", "viewer"])) as {
      token: string
    }
    const { stdout } = await draw({}, ["--gateway", gateway.origin, "--token", token])
    expect(stdout).toBe("$1.24 session · $118.40 today (all keys) · $31.60 of $50 left\n")
  })

  test("the API value of a session that a subscription pays for", async () => {
    const { stdout } = await draw({}, ["--format", "{session}"], { ...STATE, session_id: "plan" })
    expect(stdout).toBe("$3.00 API value session\n")
  })

  test("Claude Code's own figure, marked as an estimate, for a session without a request of this key", async () => {
    for (const session_id of ["new", "bens"]) {
      const { stdout } = await draw({}, [], { ...STATE, session_id })
      expect(stdout).toBe("$0.07 session (estimate) · $18.40 today · $31.60 of $50 left\n")
    }
  })

  test("the parts that --format names, in its order, and colors unless NO_COLOR is set", async () => {
    const args = ["--format", "{model} in {dir}: {session}, {left} ({limit}) {unknown}"]
    expect((await draw({}, args)).stdout).toBe(
      "Opus 4.8 in search: $1.24 session, $31.60 of $50 left (ana) {unknown}\n",
    )
    expect((await draw({ NO_COLOR: "" })).stdout).toContain("\u001b[32m$31.60 of $50 left\u001b[39m")
  })

  test("all of it as JSON with --json", async () => {
    const { stdout } = await draw({}, ["--json"])
    expect(JSON.parse(stdout)).toEqual({
      session: "$1.24",
      session_source: "gateway",
      today: "$18.40",
      key: "Ana",
      left: "$31.60 of $50",
      left_share: 0.632,
      limit: "ana",
      model: "Opus 4.8",
      directory: "search",
    })
  })
})

describe("the status line never fails: it shows a hint", () => {
  test.each<[string, Settings, string]>([
    ["if no gateway answers", { ANTHROPIC_BASE_URL: "http://127.0.0.1:1" }, "majordomo: no answer from 127.0.0.1:1"],
    [
      "if the key is wrong",
      { ANTHROPIC_CUSTOM_HEADERS: "X-Majordomo-Key: mdm_sk_wrong" },
      "majordomo: the gateway does not accept this key or token",
    ],
    [
      "if there is no key",
      { ANTHROPIC_CUSTOM_HEADERS: "" },
      "majordomo: no key of the gateway is set (MAJORDOMO_API_KEY)",
    ],
    [
      "if the address is none",
      { MAJORDOMO_GATEWAY_URL: "gateway" },
      "majordomo: the gateway: expected an address such as https://gateway.example.com",
    ],
  ])("%s", async (_, settings, hint) => {
    const { code, stdout, stderr } = await draw(settings)
    expect([code, stdout, stderr]).toEqual([0, `$0.07 session (estimate) · ${hint}\n`, ""])
  })

  test("and goes on without the session if stdin is not what Claude Code writes", async () => {
    for (const state of ["", "no JSON", "[]", "null", '{"session_id":7,"cost":null}']) {
      const { code, stdout, stderr } = await draw({}, [], state)
      expect([code, stdout, stderr]).toEqual([0, "$18.40 today · $31.60 of $50 left\n", ""])
    }
  })
})

test("the route of its numbers is for the holder of a key, of all keys for a viewer, and for nobody else", async () => {
  const get = (headers: Record<string, string>) =>
    fetch(`${gateway.origin}/api/v1/me/spending?session=bens`, { headers })
  for (const headers of [{}, { Authorization: "Bearer wrong" }, { "X-Majordomo-Key": "mdm_sk_wrong" }]) {
    expect((await get(headers as Record<string, string>)).status).toBe(401)
  }
  expect(await (await get({ "X-Majordomo-Key": own.key })).json()).toMatchObject({ key: "Ana", session: null })
  expect(await (await get({ "X-Majordomo-Key": other.key })).json()).toMatchObject({
    key: "Ben",
    session: { requests: 1, total_cost: "100", unpriced: 0 },
    limits: [{ name: "many" }],
  })
})

/** Answers all requests of the status line, as another program than a gateway may. */
async function withAnswers(answer: RequestListener, run: (origin: string) => Promise<void>): Promise<void> {
  const server = createServer(answer).listen(0, "127.0.0.1")
  await once(server, "listening")
  try {
    await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

test.each<[string, string]>([
  ["a page", "<html>Sign in to the network</html>"],
  ["other JSON", "{}"],
  ["null", "null"],
  [
    "amounts that are none",
    '{"key":"k","session":null,"today":{"requests":1,"total_cost":"1e9","subscription_value":"x"},"limits":[]}',
  ],
  [
    "limits that are none",
    '{"key":"k","session":null,"today":{"requests":1,"total_cost":"1","subscription_value":"0"},"limits":[{}]}',
  ],
])("an answer that is %s is a hint, and not an error", async (_, body) => {
  await withAnswers(
    (_request, response) => response.end(body),
    async (origin) => {
      const { code, stdout, stderr } = await draw({ ANTHROPIC_BASE_URL: origin })
      const hint = "majordomo: the address answers, but not as a gateway does"
      expect([code, stdout, stderr]).toEqual([0, `$0.07 session (estimate) · ${hint}\n`, ""])
    },
  )
})

test("a gateway that never comes to an end is not waited for, whether it is silent or sends a byte now and then", async () => {
  const timers: NodeJS.Timeout[] = []
  const slow: readonly RequestListener[] = [
    () => {},
    (_request, response) => {
      response.write("{")
      timers.push(setInterval(() => response.write(" "), 50))
    },
  ]
  for (const answer of slow) {
    await withAnswers(answer, async (origin) => {
      const { code, stdout } = await draw({ ANTHROPIC_BASE_URL: origin })
      expect([code, stdout]).toEqual([
        0,
        `$0.07 session (estimate) · majordomo: no answer from ${new URL(origin).host}\n`,
      ])
    })
  }
  for (const timer of timers) clearInterval(timer)
})

/** Runs the program with a stdin that stays open. */
async function drawWithOpenStdin(write: (stdin: Writable) => void) {
  const child = spawn(process.execPath, [BIN, "statusline"], {
    env: {
      ...process.env,
      NO_COLOR: "1",
      TZ: "UTC",
      MAJORDOMO_GATEWAY_URL: gateway.origin,
      MAJORDOMO_API_KEY: own.key,
    },
  })
  child.stdin.on("error", () => {})
  write(child.stdin)
  const stdout = await text(child.stdout)
  child.stdin.destroy()
  return stdout
}

test("a stdin that stays open is not waited for, and its state counts", async () => {
  const state = JSON.stringify(STATE)
  expect(await drawWithOpenStdin((stdin) => stdin.write(state))).toContain("$1.24 session · $18.40 today")
  expect(await drawWithOpenStdin(() => {})).toBe("$18.40 today · $31.60 of $50 left\n")
})

test("a stdin without an end is not read to its end", async () => {
  const flood = (stdin: Writable) => {
    const piece = "a".repeat(1 << 20)
    const more = (): void => void (stdin.write(piece) ? setImmediate(more) : stdin.once("drain", more))
    more()
  }
  expect(await drawWithOpenStdin(flood)).toBe("$18.40 today · $31.60 of $50 left\n")
})

test("mistakes and --help are explained by the whole program", async () => {
  const said = async (args: readonly string[]) => {
    const { code, stdout, stderr } = await draw({}, args)
    return `${code} ${stdout}${stderr}`
  }
  expect(await said(["--help"])).toMatch(/^0 [\s\S]*--format TEXT/)
  expect(await said(["--colour"])).toContain("2 error: majordomo-gateway statusline: no such option --colour")
  expect(await said(["--format"])).toContain("--format needs a value")
  expect(await said(["--json", "--json"])).toContain("--json is given twice")
  expect(await said(["--format={today}"])).toBe("0 $18.40 today\n")
})

test("it loads one small file, so that it is drawn at once", async () => {
  const coverage = mkdtempSync(join(tmpdir(), "majordomo-coverage-"))
  await draw({ NODE_V8_COVERAGE: coverage })
  const [report] = readdirSync(coverage)
  const { result } = JSON.parse(readFileSync(join(coverage, report!), "utf8")) as { result: { url: string }[] }
  const files = result.flatMap(({ url }) => (url.includes("/dist/") ? fileURLToPath(url) : []))
  rmSync(coverage, { recursive: true })
  expect(files.map((file) => basename(file))).toEqual(["statusline.mjs"])
  expect(statSync(files[0]!).size).toBeLessThan(30_000)
})

describe("amounts", () => {
  const none = {
    requests: 1,
    total_cost: "0",
    estimated: 0,
    unpriced: 0,
    subscription_requests: 0,
    subscription_value: "0",
  }
  const textOf = (
    session: Partial<Omit<typeof none, "total_cost">> & { total_cost?: string | null },
    state: AgentState = {},
  ) => {
    const spending = { key: "k", session: { ...none, ...session }, today: none, limits: [] } as never
    return drawStatusLine(toStatusLine(state, { spending }), { format: "{session}", color: false })
  }

  test("are rounded to cents, and never to nothing", () => {
    expect(["0", "0.004", "0.005", "0.0149", "1234.565"].map((total_cost) => textOf({ total_cost }))).toEqual([
      "$0.00 session",
      "<$0.01 session",
      "<$0.01 session",
      "$0.01 session",
      "$1,234.57 session",
    ])
  })

  test("say that they are estimates, incomplete or not known", () => {
    expect(textOf({ total_cost: "1", estimated: 1 })).toBe("~$1.00 session")
    expect(textOf({ total_cost: "1", requests: 2, unpriced: 1, estimated: 1 })).toBe("≥$1.00 session")
    expect(textOf({ total_cost: null, unpriced: 1 })).toBe("unknown cost session")
    const mixed = { requests: 2, total_cost: "0.5", subscription_requests: 1, subscription_value: "2" }
    expect(textOf(mixed)).toBe("$0.50 + $2.00 API value session")
  })

  test("names cannot move the cursor", () => {
    const line = toStatusLine({ model: { display_name: "a\u001b[2Jb" } }, { hint: "x" })
    expect(drawStatusLine(line, { format: "{model}", color: false })).toBe("a\ufffd[2Jb")
  })
})
