import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, onTestFinished, test } from "vitest"
import { createInstallation, type Installation, type Settings, toComplaints } from "../support/gateway.ts"
import { canRun, inNamespaces } from "../support/namespaces.ts"
import { createTestDatabase } from "../support/postgres.ts"

const NOBODY = 65534
const AS_NOBODY = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"]
/** No test leaves the loopback interface. */
const OFFLINE = { MAJORDOMO_PRICING_REMOTE_URL: "" }

/** Creates a directory that every user may enter. */
function makeDirectory({ owner = 0, mode = 0o755 }: { readonly owner?: number; readonly mode?: number } = {}): string {
  const directory = mkdtempSync(join(tmpdir(), "majordomo-data-"))
  chmodSync(directory, mode)
  if (owner !== 0) chownSync(directory, owner, owner)
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** Creates an installation whose home every user may write. */
function install(settings: Settings, under: readonly string[] = []): Installation {
  const installation = createInstallation({ ...OFFLINE, ...settings }, { under })
  chmodSync(installation.home, 0o777)
  onTestFinished(() => installation.remove())
  return installation
}

const on = (dataDir: string): Settings => ({ MAJORDOMO_STORAGE_DATA_DIR: dataDir })

function listOwners(directory: string): number[] {
  const paths = readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) => join(directory, name))
  return [...new Set([directory, ...paths].map((path) => statSync(path).uid))]
}

describe("a database that does not exist", () => {
  const commands = ["usage", "usage requests", "usage runs", "keys list", "metadata list", "verify"]

  test.each(commands)("`%s` says so and creates nothing", async (command) => {
    const { home, run } = install({})
    const { code, stdout, stderr } = await run(command.split(" "))
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
    expect(stderr).toBe(
      `error: there is no database in ${join(home, ".majordomo")} yet: start the gateway, or set storage.data_dir to its data directory\n`,
    )
    expect(readdirSync(home)).toEqual([])
  })

  test("doctor says that serve creates it, and creates nothing", async () => {
    const { home, run } = install({})
    const { stdout } = await run(["doctor"])
    expect(stdout).toMatch(/ok +data directory +.*\.majordomo does not exist yet; serve creates it/)
    expect(stdout).toMatch(/ok +database +there is no database in .*; serve creates it/)
    expect(readdirSync(home)).toEqual([])
  })

  test("migrate and keys create create it", async () => {
    for (const first of [["migrate"], ["keys", "create", "--name", "a"]]) {
      const { run } = install({})
      expect(await run(first)).toMatchObject({ code: 0 })
      expect(await run(["keys", "list"])).toMatchObject({ code: 0 })
    }
  })
})

test("a command with other settings than the running gateway names the gateway's database", async () => {
  const dataDir = makeDirectory()
  const { home, run, serve } = install({})
  const gateway = await serve({ settings: on(dataDir) })
  const uses = `the running gateway (process ${gateway.pid}) uses the embedded database in ${dataDir}`
  const { code, stderr } = await run(["keys", "list"])
  expect(code).toBe(1)
  expect(stderr).toBe(`error: there is no database in ${join(home, ".majordomo")} yet: ${uses}: use its settings\n`)
  expect((await run(["keys", "list"], on(dataDir))).stderr).toBe("")

  await run(["migrate"])
  const own = `the embedded database in ${join(home, ".majordomo")}`
  expect((await run(["keys", "list"])).stderr).toContain(`note: this command uses ${own}, but ${uses}\n`)
  await gateway.stop()
  expect((await run(["keys", "list"])).stderr).not.toContain("note:")
})

describe.skipIf(!canRun(AS_NOBODY))("a data directory of another user", () => {
  test("a user without access is told whose it is, by every command and at once", async () => {
    const dataDir = makeDirectory({ mode: 0o700 })
    const { run } = install(on(dataDir), AS_NOBODY)
    const said = `cannot use the data directory ${dataDir}: it belongs to root, and nobody has no permission (EACCES); run this as root (sudo -u root …), or set storage.data_dir to a directory of nobody`
    for (const command of [["usage"], ["keys", "create", "--name", "a"], ["migrate"], ["serve"], ["usage", "tail"]]) {
      const { code, stderr } = await run(command)
      expect([code, toComplaints(stderr)]).toEqual([1, `error: ${said}\n`])
    }
    const { url } = await createTestDatabase()
    const { code, stderr } = await run(["serve"], { DATABASE_URL: url })
    expect([code, toComplaints(stderr)]).toEqual([1, `error: ${said}\n`])
    expect((await run(["doctor"], { DATABASE_URL: url })).stdout).toContain(said)
  })

  test("root joins the gateway of another user, and leaves that user's files alone when it does not run", async () => {
    const dataDir = makeDirectory({ owner: NOBODY, mode: 0o700 })
    const theirs = install(on(dataDir), AS_NOBODY)
    const { run } = install(on(dataDir))
    const refused = new RegExp(
      `^error: the data directory ${dataDir} belongs to nobody, and files that root .*sudo -u nobody`,
    )

    const gateway = await theirs.serve()
    expect(await run(["keys", "create", "--name", "by-root"])).toMatchObject({
      code: 0,
      stderr: expect.not.stringContaining("error"),
    })
    expect((await theirs.run(["keys", "list"])).stdout).toContain("by-root")
    await gateway.stop()

    const { url } = await createTestDatabase()
    expect((await run(["keys", "list"])).stderr).toMatch(refused)
    expect(toComplaints((await run(["serve"])).stderr)).toMatch(refused)
    expect(toComplaints((await run(["serve"], { DATABASE_URL: url })).stderr)).toMatch(refused)
    expect(listOwners(dataDir)).toEqual([NOBODY])
    const again = await theirs.serve()
    expect((await theirs.run(["keys", "list"])).stdout).toContain("by-root")
    await again.stop()
  })

  test("a part of it that root made by mistake is named", async () => {
    const dataDir = makeDirectory({ owner: NOBODY, mode: 0o700 })
    mkdirSync(join(dataDir, "journal"), { mode: 0o700 })
    const { url } = await createTestDatabase()
    const { stderr } = await install(on(dataDir), AS_NOBODY).run(["serve"], { DATABASE_URL: url })
    expect(stderr).toContain(`${join(dataDir, "journal")} belongs to root, and nobody has no permission (EACCES)`)
  })
})

test.each([
  ["/proc/nope", "the file system at /proc does not create it (ENOENT)"],
  ["/dev/null/nope", "a part of it is a file (ENOTDIR)"],
])("[U17] a data directory that cannot exist, %s, is explained in words", async (dataDir, why) => {
  const { code, stderr } = await install(on(dataDir)).run(["serve", "--port", "0"])
  expect(code).toBe(1)
  expect(toComplaints(stderr)).toBe(
    `error: cannot use the data directory ${dataDir}: ${why}; set storage.data_dir to a directory on a disk\n`,
  )
})

const READ_ONLY = inNamespaces(["--mount"], `mount -t tmpfs -o ro tmpfs /mnt`)
test.skipIf(!canRun(READ_ONLY))("a read-only file system is named as such, with both databases", async () => {
  const { run } = install(on("/mnt/data"), READ_ONLY)
  const { url } = await createTestDatabase()
  for (const settings of [{}, { DATABASE_URL: url }] as Settings[]) {
    const { code, stderr } = await run(["serve"], settings)
    expect(code).toBe(1)
    expect(toComplaints(stderr)).toMatch(
      /^error: cannot use the data directory \/mnt\/data: it is on a read-only file system; [^\n]*\n$/,
    )
    expect((await run(["doctor"], settings)).stdout).toContain("it is on a read-only file system")
  }
})

const IN_CONTAINER = inNamespaces(["--net", "--mount", "--pid"], "ip link set lo up")
test.skipIf(!canRun(IN_CONTAINER))(
  "a command on the host uses the database of a gateway in a container, and harms none of its files",
  async () => {
    const dataDir = makeDirectory({ mode: 0o700 })
    const inside = makeDirectory()
    const under = inNamespaces(["--net", "--mount", "--pid"], `ip link set lo up && mount --bind ${dataDir} ${inside}`)
    const container = install(on(inside), under)
    const gateway = await container.serve()
    const { run } = install(on(dataDir))
    expect(await run(["keys", "create", "--name", "from-the-host"])).toMatchObject({ code: 0 })
    expect(existsSync(join(dataDir, "endpoint.json"))).toBe(true)
    expect(existsSync(join(dataDir, ".s.PGSQL.5432"))).toBe(true)
    const second = await run(["serve", "--port", "0"])
    expect(second.stderr).toContain("is in use by a running gateway (`serve`")
    await gateway.stop("SIGKILL")
    await expect.poll(async () => (await run(["keys", "list"])).stdout).toContain("from-the-host")
  },
)

const BOOT_ID = "/proc/sys/kernel/random/boot_id"
test.skipIf(!canRun(inNamespaces(["--mount"], `mount --bind ${BOOT_ID} ${BOOT_ID}`)))(
  "a gateway that was frozen on another machine, and whose directory a command took over, ends without writing",
  async () => {
    const dataDir = makeDirectory({ mode: 0o700 })
    const otherBoot = join(makeDirectory(), "boot-id")
    writeFileSync(otherBoot, "00000000-0000-4000-8000-000000000001\n")
    const elsewhere = install(on(dataDir), inNamespaces(["--mount"], `mount --bind ${otherBoot} ${BOOT_ID}`))
    const gateway = await elsewhere.serve()
    process.kill(gateway.pid, "SIGSTOP")
    // On another machine, the socket would refuse connections.
    rmSync(join(dataDir, ".s.PGSQL.5432"))
    const { run } = install(on(dataDir))
    const created = await run(["keys", "create", "--name", "after-the-freeze"])
    expect(created).toMatchObject({ code: 0 })
    expect(created.stderr).toContain("waiting 15 s to see whether that process still runs")
    const { code, stdout, stderr } = await gateway.stop("SIGCONT")
    expect(code).toBe(1)
    expect(stdout + stderr).toContain("another process has taken it over")
    expect((await run(["keys", "list"])).stdout).toContain("after-the-freeze")
    expect(await run(["verify"])).toMatchObject({ code: 0 })
  },
)
