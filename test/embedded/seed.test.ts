import { readdirSync, statSync } from "node:fs"
import { watch } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { isDeepStrictEqual } from "node:util"
import { gzipSync } from "node:zlib"
import { expect, test } from "vitest"
import { openEmbedded } from "../../src/database/embedded.ts"
import { makeSeed } from "../../src/embedded/seed/make-seed.ts"
import { parseTar, type TarEntry, toTar } from "../../src/embedded/seed/tar.ts"
import { makeDirectory, spawnScript } from "./_harness.ts"

const OPEN = `const database = await openEmbedded({ dataDir, role: "serve", log: () => {} })`

test("after a kill at any moment of the first start, the next start succeeds", async () => {
  for (const afterMs of [0, 15, 60]) {
    const dataDir = makeDirectory()
    const child = spawnScript(dataDir, `${OPEN}; await print("open")`)
    for await (const { filename } of watch(dataDir)) if (filename?.startsWith("postgres.new-")) break
    await delay(afterMs)
    await child.kill()
    const left = readdirSync(dataDir)
    expect(left.filter((name) => name.startsWith("postgres"))).toHaveLength(1)

    const database = await openEmbedded({ dataDir, role: "serve", log: () => {} })
    const { rows } = await database.query("SELECT count(*)::int AS tables FROM pg_class WHERE relname = 'pg_class'")
    expect(rows).toEqual([{ tables: 1 }])
    await database.close()
    expect(readdirSync(dataDir)).toEqual(["lock", "postgres"])
  }
})

test("only its owner can access the data directory, even when it was accessible to others before", async () => {
  const parent = makeDirectory()
  const child = spawnScript(
    join(parent, "made", "for us"),
    `import { mkdirSync } from "node:fs"
    mkdirSync(dataDir, { recursive: true, mode: 0o755 })
    ${OPEN}; await print("open")
    await new Promise((next) => process.stdin.once("data", next))
    await database.close()
    await print("closed")`,
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
  child.process.stdin?.write("close\n")
  expect(await child.next()).toBe("closed")
  expect(readdirSync(directory)).toEqual(["lock", "postgres"])
  await child.kill()
})

test("[O12] each build makes the same cluster, byte for byte", async () => {
  const [one, other] = [await makeSeed(), await makeSeed()]
  const others = [...parseTar(other)]
  const differing = [...parseTar(one)].filter((entry, i) => !isDeepStrictEqual(entry, others[i]))
  expect(differing.map(({ path }) => path)).toEqual([])
  expect(one.equals(other)).toBe(true)
})

test("an archive that is truncated, or that has a path outside of the directory, is rejected", () => {
  const entries: TarEntry[] = [
    { kind: "directory", path: "base" },
    { kind: "file", path: "base/1", data: Buffer.alloc(700, 1) },
  ]
  const archive = toTar(entries)
  expect([...parseTar(archive)]).toEqual(entries)
  expect(gzipSync(archive).length).toBeLessThan(400)
  expect(() => [...parseTar(archive.subarray(0, 1_200))]).toThrow("truncated")
  expect(() => [...parseTar(toTar([{ kind: "directory", path: "../outside" }]))]).toThrow("damaged")
})
