import { execFileSync, spawn } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import { createInstallation, type Settings, toComplaints } from "../support/gateway.ts"
import { canRun } from "../support/namespaces.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { listChildren } from "../support/processes.ts"

const OFFLINE = { MAJORDOMO_PRICING_REMOTE_URL: "" }

function install(settings: Settings, under: readonly string[] = []) {
  const installation = createInstallation({ ...OFFLINE, ...settings }, { under })
  onTestFinished(() => installation.remove())
  return installation
}

const AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
it.skipIf(!canRun(AS_NOBODY))("a user who may not create the data directory is told how to create it", async () => {
  const root = mkdtempSync(join(tmpdir(), "majordomo-data-"))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  chmodSync(root, 0o755)
  const { run } = install({ MAJORDOMO_STORAGE_DATA_DIR: join(root, "data") }, AS_NOBODY)
  const said = `${root} belongs to root, and nobody has no permission (EACCES); create it for nobody (sudo install -d -m 0700 -o nobody ${join(root, "data")}), or set storage.data_dir`
  expect((await run(["serve"])).stderr).toContain(said)
  expect((await run(["doctor"])).stdout).toContain(said)
})

it("the commands of a user read the settings of this user's service, unless the working directory has some", async () => {
  const { home, run } = install({})
  const write = (path: string, dataDir: string) => writeFileSync(path, `storage: {data_dir: ${dataDir}}\n`)
  mkdirSync(join(home, ".config/majordomo"), { recursive: true })
  write(join(home, ".config/majordomo/majordomo.yaml"), "/of-the-user")
  expect((await run(["usage"])).stderr).toContain("there is no database in /of-the-user yet")
  write(join(home, "majordomo.yaml"), "/of-here")
  expect((await run(["usage"])).stderr).toContain("there is no database in /of-here yet")
})

/** Starts the program in a directory that is deleted before. */
const IN_DELETED = ["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$0" "$@"']

it.each([["usage"], ["keys list"], ["doctor"], ["serve"], ["service print"]])(
  "`%s` in a directory that was deleted says so",
  async (command) => {
    const { code, stdout, stderr } = await install({}, IN_DELETED).run(command.split(" "))
    expect(code).toBe(1)
    expect(stdout + toComplaints(stderr)).toContain("the working directory was deleted: change to another directory")
    expect(stdout + stderr).not.toContain("internal error")
  },
)

const WITHOUT_ENTRY = ["env", "-u", "HOME", "setpriv", "--reuid=64321", "--regid=64321", "--clear-groups"]
describe.skipIf(!canRun(WITHOUT_ENTRY))("a user without an entry and without HOME, as in a container", () => {
  it("has `/` as its home directory, and is told what to set", async () => {
    const { run } = install({}, WITHOUT_ENTRY)
    expect(await run(["usage"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("there is no database in /.majordomo yet"),
    })
    const { code, stderr } = await run(["serve"])
    expect([code, toComplaints(stderr)]).toEqual([
      1,
      expect.stringMatching(
        /^error: cannot use the data directory \/\.majordomo: [^\n]* set storage\.data_dir [^\n]*\n$/,
      ),
    ])
  })

  it("runs the gateway on a directory of its own", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "majordomo-data-"))
    onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }))
    chmodSync(dataDir, 0o777)
    const { url } = await createTestDatabase()
    const { serve } = install({ DATABASE_URL: url, MAJORDOMO_STORAGE_DATA_DIR: join(dataDir, "own") }, WITHOUT_ENTRY)
    const gateway = await serve()
    expect((await gateway.stop()).code).toBe(0)
  })
})

describe("a worker that replaces another one has the settings with which the gateway started", () => {
  async function startWorkers(under: readonly string[] = []) {
    const settings = { DATABASE_URL: (await createTestDatabase()).url, MAJORDOMO_SERVER_WORKERS: "2" }
    const { home, serve } = install(settings, under)
    const gateway = await serve()
    const [victim = 0] = listChildren(gateway.pid)
    const getReady = async () => (await fetch(`${gateway.origin}/readyz`)).status
    return {
      home,
      gateway,
      getReady,
      async replaceOne() {
        process.kill(victim, "SIGKILL")
        const replaced = () => listChildren(gateway.pid).filter((pid) => pid !== victim).length
        await expect.poll(replaced).toBe(2)
        await expect.poll(getReady).toBe(200)
      },
    }
  }

  it("also if its settings file was broken since", async () => {
    const { home, gateway, replaceOne } = await startWorkers()
    writeFileSync(join(home, "majordomo.yaml"), "server:\n  prot: 7680\n")
    await replaceOne()
    expect(toComplaints((await gateway.stop()).stderr)).toMatch(/^error: worker \d+ ended \(SIGKILL\): [^\n]*\n$/)
  })

  it("also if its working directory was deleted since", async () => {
    const { home, gateway, replaceOne } = await startWorkers(["sh", "-c", 'mkdir -p run && cd run && exec "$0" "$@"'])
    rmSync(join(home, "run"), { recursive: true })
    expect(existsSync(join(home, "run"))).toBe(false)
    await replaceOne()
    expect((await gateway.stop()).code).toBe(0)
  })
})

it.each([1, 2])(
  "with %i processes, a signal by which log rotation asks other programs to open their log again changes nothing",
  async (workers) => {
    const { url } = await createTestDatabase()
    const gateway = await install({ DATABASE_URL: url, MAJORDOMO_SERVER_WORKERS: String(workers) }).serve()
    for (const pid of [...listChildren(gateway.pid), gateway.pid]) {
      for (const signal of ["SIGUSR1", "SIGUSR2"]) {
        const said = gateway.stderr.length
        process.kill(pid, signal)
        await expect.poll(() => gateway.stderr.slice(said)).toContain(`${signal} has no effect`)
      }
    }
    const { code, stderr } = await gateway.stop()
    expect([code, toComplaints(stderr)]).toEqual([0, ""])
  },
)

it.each([1, 2])("with %i processes, a log whose reader has left stops no gateway", async (workers) => {
  const directory = mkdtempSync(join(tmpdir(), "majordomo-log-"))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const pipe = join(directory, "pipe")
  execFileSync("mkfifo", [pipe])
  // The program is the only writer of the pipe, and `head` is its only reader, which leaves after a line.
  const reader = spawn("head", ["-n", "1", pipe])
  const left = new Promise((resolve) => reader.once("exit", resolve))
  const settings = { DATABASE_URL: (await createTestDatabase()).url, MAJORDOMO_SERVER_WORKERS: String(workers) }
  const gateway = await install(settings, ["sh", "-c", `exec "$0" "$@" 2>${pipe}`]).serve()
  await left
  for (const pid of [...listChildren(gateway.pid), gateway.pid]) process.kill(pid, "SIGUSR2") // is logged
  for (let i = 0; i < 20; i++) expect((await fetch(`${gateway.origin}/readyz`)).status).toBe(200)
  expect((await gateway.stop()).code).toBe(0)
})

it.skipIf(!existsSync("/dev/full"))("a log on a full disk stops no gateway", async () => {
  const { url } = await createTestDatabase()
  const gateway = await install({ DATABASE_URL: url }, ["sh", "-c", 'exec "$0" "$@" 2>/dev/full']).serve()
  expect((await fetch(`${gateway.origin}/readyz`)).status).toBe(200)
  expect((await gateway.stop()).code).toBe(0)
})
