import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import { afterAll, describe, expect, test } from "vitest"
import { readMigrations } from "../../build/schema/migrations.ts"
import { toSchemaScript as makeScript } from "../../build/schema/script.ts"
import type { Database } from "../../src/database/_database.ts"
import { backUpEmbedded, restoreEmbedded } from "../../src/database/backup.ts"
import { createKey, listKeys } from "../../src/database/keys.ts"
import { openDatabase } from "../../src/database/open.ts"
import { migrate } from "../../src/database/schema.ts"
import { toSchemaScript } from "../../src/database/schema-script.ts"
import { verifyLedger } from "../../src/database/verify.ts"
import { toHeader } from "../../src/embedded/seed/tar.ts"
import { NO_POSTGRES } from "../support/databases.ts"
import { copyTemplate } from "../support/embedded-template.ts"
import { isThorough } from "../support/thorough.ts"
import { aRecord, openTestLedger } from "./_ledger.ts"
import { insertRequests } from "./_verify.ts"

const root = mkdtempSync(join(tmpdir(), "mdm-backup-"))
afterAll(() => rmSync(root, { recursive: true, force: true, maxRetries: 5 }))
const at = (name: string) => join(root, name)

const open = (name: string, role: "serve" | "command" = "serve"): Promise<Database> =>
  openDatabase({ driver: "embedded", dataDir: at(name), postgres: NO_POSTGRES }, { role, log: () => {} })

function backUp(database: Database, name: string, file: string, stop = new AbortController()): Promise<unknown> {
  const input = { dataDir: at(name), file: at(file), program: "0.0.0", now: Date.now, onProgress: () => {} }
  return backUpEmbedded(database, { ...input, signal: stop.signal })
}

const restore = (file: string, name: string, force = false) =>
  restoreEmbedded({ dataDir: at(name), file: at(file), force, now: Date.now, log: () => {}, onProgress: () => {} })

/** Returns every path under a directory, with size and time of change. */
const listing = (name: string) =>
  readdirSync(at(name), { recursive: true, encoding: "utf8" })
    .map((path) => [path, statSync(join(at(name), path)).size, statSync(join(at(name), path)).mtimeMs])
    .sort()

async function check(name: string) {
  const database = await open(name)
  try {
    return { keys: await listKeys(database), ...(await verifyLedger(database, join(at(name), "journal"))) }
  } finally {
    await database.close()
  }
}

describe("backup and restore of the embedded database", () => {
  test("a backup is one file that only its owner can read", async () => {
    copyTemplate(at("source"))
    const database = await open("source")
    await createKey(database, { name: "Kept" })
    const ledger = await openTestLedger(database, join(at("source"), "journal/1"))
    for (let row = 0; row < 200; row++) ledger.append(aRecord())
    await ledger.drain(180_000)
    await ledger.close()
    writeFileSync(join(at("source"), "price-history.jsonl"), "{}\n")
    await backUp(database, "source", "good.backup")
    await database.close()
    expect(statSync(at("good.backup")).mode & 0o777).toBe(0o600)
    expect(readdirSync(root).sort()).toEqual(["good.backup", "source"])
  })

  test("a backup that was made while rows arrived has every row that was accepted before it, and its books balance", async () => {
    copyTemplate(at("busy"))
    const database = await open("busy")
    const ledger = await openTestLedger(database, join(at("busy"), "journal/1"))
    const client = await open("busy", "command")
    let accepted = 0
    // During a backup no row reaches the database, so that these rows wait in the journal.
    const load = setInterval(() => {
      for (let row = 0; row < 5; row++, accepted++) ledger.append(aRecord())
    }, 20)
    const before: number[] = []
    for (const file of isThorough ? ["busy-1.backup", "busy-2.backup"] : ["busy-1.backup"]) {
      before.push(accepted)
      await backUp(client, "busy", file)
    }
    clearInterval(load)
    await ledger.drain(180_000)
    await client.close()
    await ledger.close()
    await database.close()
    for (const [index, least] of before.entries()) {
      await restore(`busy-${index + 1}.backup`, `from-busy-${index}`)
      const restored = await open(`from-busy-${index}`)
      const replayed = await openTestLedger(restored, join(at(`from-busy-${index}`), "journal/1"))
      await replayed.drain(180_000)
      await replayed.close()
      const found = await verifyLedger(restored, join(at(`from-busy-${index}`), "journal"))
      await restored.close()
      expect(found).toMatchObject({ waiting: 0, lost: 0, differences: [] })
      expect(found.written).toBeGreaterThanOrEqual(least)
      expect(found.written).toBeLessThanOrEqual(accepted)
    }
  })

  test("the restored directory has the keys, the rows, the totals and the price lists", async () => {
    expect(await restore("good.backup", "fresh")).toMatchObject({ keys: 1, requests: 200, replaced: undefined })
    expect(readFileSync(join(at("fresh"), "price-history.jsonl"), "utf8")).toBe("{}\n")
    const { keys, ...found } = await check("fresh")
    expect(keys.map(({ name }) => name)).toEqual(["Kept"])
    expect(found).toMatchObject({ written: 200, waiting: 0, lost: 0, differences: [] })
    expect(readdirSync(at("fresh")).filter((name) => /new|restoring|replaced/.test(name))).toEqual([])
  })

  test("the file is an archive that tar and sha256sum check without the program", () => {
    mkdirSync(at("unpacked"))
    execFileSync("tar", ["-xzf", at("good.backup"), "-C", at("unpacked")])
    execFileSync("sha256sum", ["--check", "--quiet", "SHA256SUMS"], { cwd: at("unpacked") })
    expect(JSON.parse(readFileSync(join(at("unpacked"), "backup.json"), "utf8"))).toMatchObject({ format: 1 })
  })

  test("a backup of an older schema is migrated on restore", async () => {
    const read = (name: string) => readFileSync(new URL(`../../migrations/before/${name}.sql`, import.meta.url), "utf8")
    const before = {
      go: read("go"),
      goRows: read("go-rows"),
      unversioned: read("unversioned"),
      rollups: read("rollups"),
    }
    copyTemplate(at("old"), { empty: true })
    const old = await open("old")
    await migrate(old, undefined, toSchemaScript(makeScript(readMigrations("migrations").slice(0, 2), before)))
    await insertRequests(old, "2026-11-01", 1, 20)
    await backUp(old, "old", "old.backup")
    await old.close()
    const { note, schemaVersion } = await restore("old.backup", "from-old")
    expect(note.schema_version).toBe(2)
    expect(schemaVersion).toBe(readMigrations("migrations").length)
    expect(await check("from-old")).toMatchObject({ written: 20, lost: 0, differences: [] })
  })

  test("a backup whose schema is newer and breaking is rejected, and the directory stays as it was", async () => {
    copyTemplate(at("future"))
    const database = await open("future")
    await database.query("INSERT INTO majordomo_migrations (version, name, breaking) VALUES (99, 'future', true)")
    await backUp(database, "future", "future.backup")
    await database.close()
    const before = listing("fresh").filter(([path]) => !String(path).startsWith("lock"))
    await expect(restore("future.backup", "fresh", true)).rejects.toThrow(/newer than this program/)
    expect(listing("fresh").filter(([path]) => !String(path).startsWith("lock"))).toEqual(before)
  })

  const zipped = () => readFileSync(at("good.backup"))
  const damages: readonly (readonly [what: string, damage: () => Buffer])[] = [
    ["cut off in the middle", () => zipped().subarray(0, zipped().length / 2)],
    ["without its last byte", () => zipped().subarray(0, -1)],
    ["empty", () => Buffer.alloc(0)],
    ["with a bit flipped early", () => flip(zipped(), 400)],
    ["with a bit flipped in the middle", () => flip(zipped(), zipped().length >> 1)],
    ["with a bit flipped at the end", () => flip(zipped(), zipped().length - 5)],
    ["compressed again after a file was changed", () => gzipSync(flip(gunzipSync(zipped()), 200_000), { level: 1 })],
    ["with a path that leaves the directory", () => gzipSync(rename(gunzipSync(zipped())), { level: 1 })],
    ["that is another file", () => Buffer.from("PGDMP, and what pg_dump writes")],
  ]
  test.each(damages)("a backup %s is rejected before anything is touched", async (_what, damage) => {
    writeFileSync(at("bad.backup"), damage())
    const before = listing("fresh")
    await expect(restore("bad.backup", "fresh", true)).rejects.toThrow(/^cannot restore .*bad\.backup/)
    expect(listing("fresh")).toEqual(before)
    await expect(restore("bad.backup", "never")).rejects.toThrow(/^cannot restore/)
    expect(readdirSync(root)).not.toContain("never")
  })

  test.each<[string, (entry: Entry) => Buffer]>([
    ["leaves the directory", (entry) => entry("../escaped")],
    ["leaves it later", (entry) => entry("postgres/../../escaped")],
    ["is absolute", (entry) => entry(`${root}/escaped`)],
    ["is a symbolic link", (entry) => entry("postgres", { type: "2", link: root })],
    ["is a hard link", (entry) => entry("postgres", { type: "1", link: `${root}/good.backup` })],
    ["is a device", (entry) => entry("postgres", { type: "3" })],
    ["has a negative size", (entry) => entry("journal", { size: "-0000000777" })],
    ["is larger than the backup says", (entry) => entry("journal", { content: Buffer.alloc(64 * 1024 * 1024) })],
  ])(
    "a backup that was forged with right checksums, in which an entry %s, is rejected and writes nothing",
    async (_what, make) => {
      writeFileSync(at("forged.backup"), forge(make))
      await expect(restore("forged.backup", "never")).rejects.toThrow(/^cannot restore .*the backup is damaged \(its? /)
      expect(readdirSync(root).filter((name) => /never|escaped/.test(name))).toEqual([])
    },
  )

  test("a directory with data is replaced only with force, and the earlier data are kept", async () => {
    await expect(restore("good.backup", "from-old")).rejects.toThrow(/contains data already: restore with --force/)
    mkdirSync(join(at("from-old"), "journal/1"), { recursive: true })
    const { replaced } = await restore("good.backup", "from-old", true)
    expect(readdirSync(replaced!)).toEqual(["journal", "postgres"])
    expect(await check("from-old")).toMatchObject({ written: 200, lost: 0, differences: [] })
  })

  test("a directory that a process uses is not replaced, even with force", async () => {
    const database = await open("fresh")
    await expect(restore("good.backup", "fresh", true)).rejects.toThrow(/is in use by another process/)
    await database.close()
  })

  test("a database between two restores is not opened", async () => {
    copyTemplate(at("between"))
    mkdirSync(join(at("between"), "restoring"))
    await expect(open("between")).rejects.toThrow(/was interrupted: run majordomo-gateway restore/)
    await restore("good.backup", "between", true)
    expect(await check("between")).toMatchObject({ written: 200 })
  })

  test("a file that exists is not overwritten, and an interrupted backup leaves nothing", async () => {
    const database = await open("fresh")
    await expect(backUp(database, "fresh", "good.backup")).rejects.toThrow(/exists already/)
    const stop = new AbortController()
    stop.abort()
    await expect(backUp(database, "fresh", "stopped.backup", stop)).rejects.toThrow(/interrupted/)
    await database.close()
    expect(readdirSync(root).filter((name) => name.startsWith("stopped"))).toEqual([])
    expect(readdirSync(at("fresh")).filter((name) => name.startsWith("backup.new"))).toEqual([])
  })
})

function flip(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at]! ^= 1
  return copy
}

function rename(archive: Buffer): Buffer {
  const copy = Buffer.from(archive)
  copy.write("../x\0", copy.indexOf("postgres/PG_VERSION"))
  return copy
}

type Entry = (path: string, more?: { type?: string; link?: string; size?: string; content?: Buffer }) => Buffer

/** Returns an archive of a note, one entry, and the checksums of both. */
function forge(make: (entry: Entry) => Buffer): Buffer {
  const sums: string[] = []
  const entry: Entry = (path, { type = "0", link = "", size, content = Buffer.from("x") } = {}) => {
    const header = toHeader({ kind: "file", path }, content.length)
    header.write(type, 156)
    header.write(link, 157)
    if (size) header.write(size, 124)
    sums.push(`${createHash("sha256").update(content).digest("hex")}  ${path}\n`)
    return Buffer.concat([header, content, Buffer.alloc(-content.length & 511)])
  }
  const note = {
    format: 1,
    program: "0.0.0",
    postgres: "18",
    schema_version: 1,
    created_at: "2026-11-01T00:00:00.000Z",
    bytes: 1000,
  }
  const parts = [entry("backup.json", { content: Buffer.from(JSON.stringify(note)) }), make(entry)]
  parts.push(entry("SHA256SUMS", { content: Buffer.from(sums.join("")) }), Buffer.alloc(1024))
  return gzipSync(Buffer.concat(parts), { level: 1 })
}
