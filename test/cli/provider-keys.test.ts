import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { createInstallation, type Installation, type RunningGateway, type Settings } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { noTerminal, runOnTerminal } from "../support/terminal.ts"

const SECRET = "sk-proj-command-0123456789-first"
const ROTATED = "sk-proj-command-0123456789-next"

let home: Installation
let gateway: RunningGateway
let env: Settings
let afar: Settings
let vaultFile: string

beforeAll(async () => {
  const { url } = await createTestDatabase()
  env = { DATABASE_URL: url, MAJORDOMO_PRICING_REMOTE_URL: "" }
  home = createInstallation(env, { inProcess: true })
  vaultFile = join(home.home, ".majordomo", "vault.key")
  const { token } = (await home.runJson(["tokens", "create", "--name", "root", "--role", "admin"])) as { token: string }
  gateway = await home.serve()
  afar = { MAJORDOMO_GATEWAY_URL: gateway.origin, MAJORDOMO_ADMIN_TOKEN: token }
})
afterAll(() => home?.remove())

test("without a vault key, provider-keys add says so before it reads the secret, here and from afar", async () => {
  const here = await home.run(["provider-keys", "add", "openai"])
  expect(here).toMatchObject({ code: 1, stdout: "" })
  expect(here.stderr).toContain("there is no vault key to encrypt it with: run majordomo-gateway vault init")
  const remote = await home.run(["provider-keys", "add", "openai"], afar)
  expect(remote.stderr).toContain("the gateway has no vault key to encrypt it with: run majordomo-gateway vault init")
  expect((await home.run(["vault", "status"], afar)).stdout).toContain("There is no vault key")
})

test.skipIf(noTerminal)("on a terminal, it offers to make the vault key, and makes none without a yes", async () => {
  const onTerminal = { HOME: home.home, ...env }
  const prompt = /Make one\? \[y\/N\] /
  const no = await runOnTerminal(["provider-keys", "add", "openai"], { env: onTerminal, prompt, answer: "n" })
  expect(no.code).toBe(1)
  expect(no.screen).toContain("canceled: nothing was changed")
  expect(no.screen).not.toContain("Key of openai")
  expect(existsSync(vaultFile)).toBe(false)
})

test("vault init makes the key in a file, and never a second one", async () => {
  expect(await home.run(["vault", "init"])).toMatchObject({ code: 0, stderr: "" })
  const file = readFileSync(vaultFile, "utf8")
  expect(await home.run(["vault", "init"])).toMatchObject({ code: 1, stdout: "" })
  expect(readFileSync(vaultFile, "utf8")).toBe(file)
  const note = (await home.run(["vault", "init"], afar)).stderr
  expect(note).toContain("note: this command works on this machine, and not on the gateway")
})

test("a key is added, listed, rotated and removed with its secret on stdin, which is printed nowhere", async () => {
  const all: string[] = []
  for (const [settings, alias] of [
    [{}, "here"],
    [afar, "afar"],
  ] as const) {
    const run = async (line: string, input?: string) => {
      const ran = await home.run(line.split(" "), settings, input)
      all.push(ran.stdout, ran.stderr)
      return ran
    }
    expect((await run(`provider-keys add openai --alias ${alias}`, `${SECRET}\n`)).stdout).toMatch(
      new RegExp(`openai:${alias}[\\s\\S]*Ends with: +irst`),
    )
    expect((await run(`provider-keys add openai --alias ${alias}`, SECRET)).stderr).toContain("already has a key named")
    expect((await run("provider-keys list")).stdout).toContain(`openai:${alias}`)
    expect((await run("vault status")).stdout).toContain("1 provider key encrypted with")
    expect((await run(`provider-keys update openai:${alias} --default`)).stdout).toMatch(/Default: +yes/)
    const bound = await run(`keys create --name Bound-${alias} --provider-key openai:${alias} --json`)
    expect(bound.stdout).toContain(`"alias": "${alias}"`)
    const { id } = JSON.parse(bound.stdout) as { id: string }
    expect((await run(`keys update ${id} --provider-key openai --json`)).stdout).not.toContain(`"alias": "${alias}"`)
    expect((await run(`provider-keys rotate openai:${alias}`, ROTATED)).stdout).toMatch(/Ends with: +next/)
    const stored = JSON.parse((await run("provider-keys list --json")).stdout) as { id: string; alias: string }[]
    const prefix = stored.find((each) => each.alias === alias)!.id.slice(0, 18)
    expect((await run(`provider-keys update ${prefix} --default`)).stdout).toContain(`openai:${alias}`)
    expect((await run(`provider-keys update openai:${alias}s --default`)).stderr).toContain(
      `did you mean "openai:${alias}"?`,
    )
    expect((await run(`provider-keys remove openai:${alias}`)).stdout).toContain(`openai:${alias} is removed.`)
    expect((await run(`provider-keys rotate openai:${alias}`, ROTATED)).code).toBe(1)
  }
  expect(all.filter((text) => text.includes("sk-proj"))).toEqual([])
})

test("an argument that looks like a secret is rejected, and its text is not repeated", async () => {
  const ran = await home.run(["provider-keys", "add", SECRET])
  expect([ran.code, ran.stdout]).toEqual([2, ""])
  expect(ran.stderr).not.toContain(SECRET)
})

test("vault rotate encrypts with another key, which the running gateway uses without a restart", async () => {
  await home.run(["provider-keys", "add", "openai", "--alias", "kept"], {}, SECRET)
  const before = (await home.runJson(["vault", "status"], afar)) as { vault_key_id: string }
  const rotated = (await home.runJson(["vault", "rotate"])) as { vault_key_id: string; encrypted: number }
  expect(rotated.encrypted).toBe(1)
  expect(rotated.vault_key_id).not.toBe(before.vault_key_id)
  expect(await home.runJson(["vault", "status"], afar)).toMatchObject({
    vault_key_id: rotated.vault_key_id,
    problem: null,
    encrypted: [{ vault_key_id: rotated.vault_key_id, provider_keys: 1, readable: 1 }],
  })
})

test("a secret under another vault key than the others is stored with a warning that names both", async () => {
  const { vault_key_id: usual } = (await home.runJson(["vault", "status"])) as { vault_key_id: string }
  const other = { MAJORDOMO_VAULT_KEY: Buffer.alloc(32, 7).toString("base64") }
  const added = await home.run(["provider-keys", "add", "openai", "--alias", "elsewhere"], other, SECRET)
  const used = /Vault key: +([0-9a-f]{8})/.exec(added.stdout)![1]!
  expect(used).not.toBe(usual)
  expect(added.stderr).toContain(`with the vault key ${used}, and other provider keys with ${usual}. `)
  const rotated = await home.run(["provider-keys", "rotate", "openai:elsewhere"], {}, SECRET)
  expect([rotated.code, rotated.stderr]).toEqual([0, ""])
})
