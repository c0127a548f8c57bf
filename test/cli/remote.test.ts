import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { userInfo } from "node:os"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { bodyOf } from "../pricing/_list.ts"
import {
  createInstallation,
  type Installation,
  type Ran,
  type RunningGateway,
  type Settings,
} from "../support/gateway.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { insertKey, insertRows } from "../support/usage-rows.ts"

const REQUEST = "01900000-0000-7000-8000-000000000001"
const UNKNOWN = "01900000-0000-7000-8000-00000000ffff"

let database: TestDatabase
let home: Installation
let gateway: RunningGateway
let key: string
/** What sends a command to the gateway. */
let afar: Settings

const priceList = createServer((_, response) => response.end(JSON.stringify(bodyOf([]))))

beforeAll(async () => {
  await new Promise<void>((resolve) => priceList.listen(0, "127.0.0.1", resolve))
  database = await createTestDatabase()
  // The commands have another time zone than the gateway, and both have the same data directory.
  home = createInstallation(
    {
      DATABASE_URL: database.url,
      TZ: "Asia/Tokyo",
      MAJORDOMO_PRICING_REMOTE_URL: `http://127.0.0.1:${(priceList.address() as AddressInfo).port}/`,
      MAJORDOMO_PRICING_CATALOG_URL: "",
    },
    { inProcess: true },
  )
  key = await fill()
  gateway = await home.serve({ settings: { TZ: "America/Lima" } })
  // The token is called like the user who runs the commands, because some outputs name who did something.
  const create = ["tokens", "create", "--name", userInfo().username, "--role", "admin"]
  const { token } = (await home.runJson(create)) as { token: string }
  afar = { MAJORDOMO_GATEWAY_URL: gateway.origin, MAJORDOMO_ADMIN_TOKEN: token }
})
afterAll(async () => {
  await home?.remove()
  await database?.drop()
  priceList.close()
})

async function fill(): Promise<string> {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const id = await insertKey(client, "Schlüssel 🔑")
  const call = { key: id, cost: "0.25", input: 100, output: 10 }
  const span = (path: string) => ({ "Trace-Id": "t/1 ü", "Span-Path": path, "Span-Name": "call" })
  await insertRows(client, [
    { ...call, id: REQUEST, at: "2026-01-01T10:00:00Z", metadata: { "User-Id": "a&b=c +%" } },
    { ...call, at: "2026-01-02T10:00:00Z", metadata: { "User-Id": "2", ...span("planner/tool:search") } },
    { ...call, at: "2026-01-02T16:00:30Z", metadata: span("planner"), code: 500, cost: null, status: "unpriced" },
    { ...call, at: "2026-01-03T10:00:30Z", model: "meta/llama 3", provider: "gemini", outcome: "client_left" },
  ])
  await client.query({
    text: "UPDATE llm_requests SET request_body = $2, response_body = $3 WHERE id = $1",
    values: [REQUEST, '{"messages":[{"role":"user","content":"Grüße"}]}', '{"id":"r"}'],
  })
  await client.end()
  return id
}

describe("a command that reads prints the same, byte for byte, on its own database and from afar", () => {
  const JANUARY = "--since 2026-01-01 --until 2026-01-31"
  test.concurrent.each([
    `usage ${JANUARY}`,
    `usage ${JANUARY} --json`,
    `usage --by key,day ${JANUARY} --json`,
    `usage --by day ${JANUARY} --tz America/New_York`,
    `usage --by User-Id ${JANUARY} --csv`,
    `usage --by model --model gpt-4o* --key KEY --status success ${JANUARY}`,
    `usage --where User-Id=a&b=c_+% --by model,provider --sort name --limit 1 ${JANUARY} --json`,
    "usage --since 2099-01-01T00:00 --by model --json --until 2099-02-01",
    "usage --since 2025-01-01 --until 2025-02-01",
    "usage --by model --since nonsense",
    "usage --until 2026-01-01 --since 2026-02-01",
    "usage --by Usr-Id --since 2026-01-01",
    "usage --limit 0 --by model",
    "usage --tz Mars/Base",
    `usage latency --by provider ${JANUARY}`,
    `usage latency ${JANUARY} --json`,
    `usage errors --by model ${JANUARY}`,
    `usage errors --by model ${JANUARY} --json`,
    `usage requests ${JANUARY}`,
    `usage requests ${JANUARY} --json --limit 2`,
    `usage requests ${JANUARY} --csv --where User-Id=2`,
    `usage request ${REQUEST}`,
    `usage request ${REQUEST} --body`,
    `usage request ${REQUEST} --response --json`,
    `usage request ${UNKNOWN}`,
    "usage request no-id --json",
    `usage runs ${JANUARY}`,
    `usage runs ${JANUARY} --json`,
    `usage runs ${JANUARY} --csv`,
    "usage run t/1_ü",
    "usage run t/1_ü --json",
    "usage run ../usage",
    "usage pending",
    `usage export ${JANUARY}`,
    "keys list",
    "keys list --json",
    "keys get KEY",
    `keys get ${UNKNOWN}`,
    "tokens list",
    "tokens list --json",
    "limits list",
    "limits list --json",
    "limits get none",
    "limits check --model gpt-4o-mini",
    "limits check --key KEY --where Team",
    "provider-keys list",
    "provider-keys list --json",
    "provider-keys update openai:none --default",
    "provider-keys remove openai:none --yes",
    "vault status",
    "vault status --json",
    "metadata list --json",
    "pricing list --json",
    "pricing get gpt-4o-mini --json",
    "pricing get meta/llama_3",
    "pricing history gpt-4o-mini",
    "pricing history gpt-4o-mini --json",
    "metadata list",
    "audit list",
    "audit list --json",
    "prune --older-than 90d --dry-run --json",
    "prune --older-than never --dry-run",
    "pricing reprice --since 2026-01-01 --until 2026-02-01 --dry-run",
    "verify --all",
  ])("%s", async (line) => {
    // `_` stands for a space within an argument.
    const args = line.split(" ").map((word) => word.replaceAll("_", " ").replace(/^KEY$/, key))
    // The remote command goes first, because it can change when the token was last used.
    const remote = await home.run(args, afar)
    expect(remote).toEqual(await home.run(args))
  })
})

describe("a command that changes something prints the same on its own database and from afar", () => {
  /** Runs command lines one after the other, where ID is the id that the first one printed, and masks what is new each time. */
  async function runAll(lines: readonly string[], settings: Settings): Promise<readonly Ran[]> {
    const all: Ran[] = []
    let id = ""
    for (const line of lines) {
      const ran = await home.run(
        line.split(" ").map((word) => (word === "ID" ? id : word)),
        settings,
      )
      id ||= /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(ran.stdout)?.[0] ?? ""
      all.push({ ...ran, stdout: mask(ran.stdout), stderr: mask(ran.stderr) })
    }
    return all
  }
  const mask = (text: string) =>
    text
      .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "UUID")
      .replaceAll(/mdm_(sk|admin)_[\w-]+/g, "SECRET")
      .replace(/"(created|set)_by": ".*"/, '"$1_by": "WHO"')
      .replace(/[02] earlier requests were indexed/, "N earlier requests were indexed")
      .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?/g, "TIME")

  test.each([
    [
      [
        "keys create --name Fresh",
        "keys update ID --name Renamed --discount 12.5",
        "keys revoke ID --yes",
        "keys revoke ID --yes",
      ],
    ],
    [
      [
        "keys create --name Fresh --json",
        "keys update ID --discount 200",
        "keys update ID --metadata team=search --metadata Feature=a=b --locked-metadata X-Majordomo-Cost-Center=7 --require user-id --json",
        "keys update ID --metadata nonsense",
        "keys update ID --require provider-alias",
        "keys update ID",
        "keys get ID",
        "keys rotate ID --yes --json",
        // The name is free again for the second run.
        "keys revoke ID --yes",
      ],
    ],
    [
      [
        "keys create --name Policy --expires 90d --models gpt-5*,Claude-* --providers openai --budget 50/month --rpm 60",
        "keys update ID --expires never --models any --budget none --tpm 100000 --concurrency 5 --json",
        "keys update ID --budget 9/day --rpm none",
        "keys update ID --expires 2020-01-01",
        "keys update ID --models *gpt",
        "keys update ID --providers open;ai",
        "keys update ID --budget fifty",
        "keys update ID --rpm 0",
        "keys rotate ID --grace soon --yes",
        "keys rotate ID --grace 24h --yes",
        "keys get ID --json",
        // The names of the key and of its limits are free again for the second run.
        "keys update ID --budget none --tpm none --concurrency none",
        "keys revoke ID --yes",
      ],
    ],
    [["keys create --name ", `keys revoke ${UNKNOWN} --yes`, "keys update nonsense --name X"]],
    [
      [
        "tokens create --name Fresh --role viewer --expires 90d",
        "tokens revoke ID --yes",
        "tokens revoke ID --yes --json",
      ],
    ],
    [
      [
        "pricing overrides",
        "pricing set house-model --input 0.5 --output 1.25",
        "pricing set House-Model --provider openai --input 0.4 --rate web_searches=0.01 --from 2026-01-01 --json",
        "pricing get house-model --provider openai --json",
        "pricing overrides",
        "pricing unset house-model",
        "pricing unset house-model --provider openai --from 2026-01-01 --json",
        "pricing unset house-model",
        "pricing overrides --json",
      ],
    ],
    [
      [
        "pricing set house-model",
        "pricing set house-model --input cheap",
        "pricing set house-model --input 1 --rate nonsense",
        "pricing set house-model --input 1 --from soon",
        "pricing set house-model --input 1 --provider opnai",
      ],
    ],
    [
      [
        "limits create budget --measure cost --amount 50 --window total --model gpt-4o*",
        "limits create budget --measure cost --amount 50 --window total",
        "limits create each --measure tokens --amount 1000 --window total --per User-Id --action warn --json",
        "limits list",
        "limits get each --values",
        "limits get each --value 2 --json",
        "limits get budget --values",
        "limits update budget --amount 0.25 --model= --where User-Id=2 --notify-at 50,80",
        "limits update budget",
        "limits update budget --window fortnight",
        "limits get budget",
        "limits check --where User-Id=2",
        "limits delete budget --yes",
        "limits delete each --yes --json",
        "limits delete each --yes",
      ],
    ],
    [
      [
        "limits create x --measure cst --amount 5 --window day",
        "limits create x --measure cost --amount 5 --window day --key Nobody",
        "limits create x --measure cost --amount 5 --window day --notify-at soon",
        "limits create x --measure cost --amount 5 --window day --provider opnai --dry-run",
        "limits create x --measure concurrency --amount 5 --dry-run",
      ],
    ],
    [["metadata activate Span-Name", "metadata deactivate Span-Name --json", "metadata activate Never-Seen --json"]],
  ])("%j", async (lines) => {
    const own = await runAll(lines, {})
    const remote = await runAll(lines, afar)
    expect(remote).toEqual(own)
  })
})

test.each([["status"], ["status --json"]])("%s prints the same but for times that pass", async (line) => {
  const mask = (ran: Ran) => ({
    ...ran,
    stdout: ran.stdout.replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.Z]*/g, "TIME").replaceAll(/\d+ s\b/g, "N s"),
  })
  const own = await home.run(line.split(" "))
  expect(own.stdout).toMatch(/accepted/)
  expect(mask(await home.run(line.split(" "), afar))).toEqual(mask(own))
})

test("a refresh of the price lists prints the same, and both write it into the audit log", async () => {
  await home.run(["pricing", "refresh"])
  const [own, remote] = [await home.run(["pricing", "refresh"]), await home.run(["pricing", "refresh"], afar)]
  expect(own.stdout).toMatch(/^llm-prices.com: fetched, 25 prices of 2026-11-01\n/)
  expect(remote).toEqual(own)
  const entries = (await home.runJson(["audit", "list"])) as { action: string; actor_kind: string }[]
  expect(entries.slice(0, 2)).toMatchObject([
    { action: "pricing.refresh", actor_kind: "token" },
    { action: "pricing.refresh", actor_kind: "command" },
  ])
})

test("usage tail prints the same rows as they are written, on its own database and from afar", async () => {
  const args = ["usage", "tail", "--json", "--limit", "2"]
  const isEnough = (stdout: string) => stdout.split("\n").length > 2
  const own = await home.runUntil(isEnough, args)
  expect(
    own.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).model),
  ).toEqual(["gpt-4o-mini", "meta/llama 3"])
  expect(await home.runUntil(isEnough, args, afar)).toEqual(own)
})

test("a repricing and a real prune print the same, on an own database and from afar", async () => {
  const reprice = ["pricing", "reprice", "--since", "2026-01-01", "--model", "meta/llama 3", "--json"]
  const price = (usd: string) => ["pricing", "set", "meta/llama 3", "--input", usd, "--output", usd, "--json"]
  const prune = ["prune", "--older-than", "5y", "--yes"]
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const runAll = async (settings: Settings) => {
    await insertRows(client, [{ at: "2020-01-01T10:00:00Z", cost: "1" }])
    await home.run(price("1"), settings)
    const pruned = await home.run(prune, settings)
    await home.run(reprice, settings)
    await home.run(price("2"), settings)
    return { pruned, repriced: await home.run(reprice, settings) }
  }
  const [own, remote] = [await runAll({}), await runAll(afar)]
  await client.end()
  expect(own.pruned.stdout).toContain("1 request from before")
  expect(JSON.parse(own.repriced.stdout).models).toMatchObject([{ changed: 1, before: "0.00011", after: "0.00022" }])
  expect(remote).toEqual(own)
})

test("a command that works on this machine only says so, if others ask a gateway", async () => {
  const note = "note: this command works on this machine, and not on the gateway of MAJORDOMO_GATEWAY_URL or login\n"
  const own = await home.run(["migrate", "--json"])
  expect(own).toMatchObject({ code: 0, stderr: "" })
  expect(await home.run(["migrate", "--json"], afar)).toEqual({ ...own, stderr: note })
})
