import { readdirSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { expect, test } from "vitest"
import { parseTar, type TarEntry, toTar } from "../../../src/database/embedded/tar.ts"
import { makeDirectory, spawnScript } from "./_harness.ts"

const OPEN = `const database = await openEmbedded({ dataDir, role: "serve", log: () => {} })`

test("a kill at any moment of the first start leaves a directory that the next start can use", async () => {
  const dataDir = makeDirectory()
  let unfinished = 0
  for (const afterMs of [120, 180, 240, 300, 400, 600]) {
    rmSync(dataDir, { recursive: true, force: true })
    const child = spawnScript(dataDir, `${OPEN}; await say("open"); setInterval(() => {}, 1000)`)
    const timer = setTimeout(() => void child.kill(), afterMs)
    await child.next().catch(() => {})
    clearTimeout(timer)
    await child.kill()
    if (statSync(dataDir, { throwIfNoEntry: false }) && !readdirSync(dataDir).includes("postgres")) unfinished++
    const next = spawnScript(
      dataDir,
      `${OPEN}
      const { rows } = await database.query("SELECT count(*)::int AS tables FROM pg_class WHERE relname = 'pg_class'")
      await database.close()
      await say(JSON.stringify(rows))`,
    )
    expect(JSON.parse(await next.next())).toEqual([{ tables: 1 }])
    await next.kill()
    expect(readdirSync(dataDir).filter((name) => name.includes("new"))).toEqual([])
  }
  expect(unfinished).toBeGreaterThan(0)
}, 60_000)

test("the directory is its owner's alone, and one that was open to others is closed", async () => {
  const parent = makeDirectory()
  const child = spawnScript(
    join(parent, "made", "for us"),
    `import { mkdirSync } from "node:fs"
    mkdirSync(dataDir, { recursive: true, mode: 0o755 })
    ${OPEN}; await say("open"); await database.close(); await say("closed")`,
  )
  await child.next()
  const directory = join(parent, "made", "for us")
  const mode = (path: string) => (statSync(join(directory, path)).mode & 0o777).toString(8)
  expect([mode("."), mode("postgres"), mode("postgres/PG_VERSION"), mode("endpoint.json")]).toEqual([
    "700",
    "700",
    "600",
    "600",
  ])
  expect(mode(".s.PGSQL.5432")).toBe("600")
  expect(await child.next()).toBe("closed")
  expect(readdirSync(directory)).toEqual(["postgres"])
  await child.kill()
})

test("an archive that is cut or points outside is refused", () => {
  const entries: TarEntry[] = [
    { kind: "directory", path: "base" },
    { kind: "file", path: "base/1", data: Buffer.alloc(700, 1) },
  ]
  const archive = toTar(entries)
  expect([...parseTar(archive)]).toEqual(entries)
  expect(gzipSync(archive).length).toBeLessThan(400)
  expect(() => [...parseTar(archive.subarray(0, 1_200))]).toThrow("cut")
  expect(() => [...parseTar(toTar([{ kind: "directory", path: "../outside" }]))]).toThrow("damaged")
})
