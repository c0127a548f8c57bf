import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs"
import { join, resolve } from "node:path"
import { build } from "vite"
import { openEmbedded } from "../../src/database/embedded.ts"
import { ensureSeed } from "../../src/embedded/seed/make-seed.ts"
import { copyTemplate, EMBEDDED_CACHE, EMPTY_TEMPLATE, SCHEMA, TEMPLATE } from "./embedded-template.ts"

/**
 * Builds the embedded database's worker as JavaScript (a thread cannot load TypeScript on Node 20), its seed archive, and
 * `database.mjs`, with which tests open a data directory from processes that they kill.
 */
export default async function setup(): Promise<void> {
  mkdirSync(EMBEDDED_CACHE, { recursive: true })
  const draft = mkdtempSync(join(EMBEDDED_CACHE, "draft-"))
  try {
    await ensureSeed(join(draft, "seed.tar.br"))
    await build({
      configFile: false,
      logLevel: "error",
      build: {
        ssr: true,
        target: "node20",
        minify: false,
        outDir: draft,
        emptyOutDir: false,
        rollupOptions: {
          input: {
            worker: "src/embedded/engine/worker.ts",
            database: "src/database/embedded.ts",
            lock: "src/kit/lock.ts",
          },
          output: { entryFileNames: "[name].mjs", chunkFileNames: "chunk-[hash].mjs" },
        },
      },
    })
    // Other runs may be using the files, so each is replaced by a rename, and chunks before the files that import them.
    const names = readdirSync(draft).sort((one) => (one.startsWith("chunk-") ? -1 : 1))
    for (const name of names) renameSync(join(draft, name), join(EMBEDDED_CACHE, name))
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  if (!existsSync(EMPTY_TEMPLATE)) await makeTemplate(EMPTY_TEMPLATE)
  if (!existsSync(TEMPLATE)) await makeTemplate(TEMPLATE, SCHEMA)
}

/** Makes a cluster of which tests get a copy. */
async function makeTemplate(template: string, schema?: string): Promise<void> {
  const draft = mkdtempSync(resolve(EMBEDDED_CACHE, "template-draft-"))
  try {
    if (existsSync(EMPTY_TEMPLATE)) copyTemplate(draft, { empty: true })
    const database = await openEmbedded({ dataDir: draft, role: "serve", log: () => {} })
    if (schema !== undefined) await database.query(schema)
    await database.close()
    renameSync(join(draft, "postgres"), template)
  } catch (error) {
    if (!existsSync(template)) throw error // another run has made it meanwhile
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}
