import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { build } from "vite"

/** The directory in which a run from the sources looks for what a build puts into `dist/tokenizer`. */
const CACHE = "node_modules/.cache/majordomo-gateway/tokenizer"
const SOURCE = "src/tokenizer"

/** Compiles the tokenizer's thread to JavaScript if it is out of date, because a thread cannot load TypeScript on node 20. */
export default async function setup(): Promise<void> {
  const made = join(CACHE, "worker.mjs")
  const madeAt = existsSync(made) ? statSync(made).mtimeMs : 0
  if (readdirSync(SOURCE).every((name) => statSync(join(SOURCE, name)).mtimeMs < madeAt)) return
  mkdirSync(CACHE, { recursive: true })
  const draft = mkdtempSync(join(CACHE, "draft-"))
  try {
    await build({
      configFile: false,
      logLevel: "error",
      ssr: { noExternal: true },
      build: {
        ssr: true,
        target: "node20",
        minify: false,
        outDir: draft,
        rollupOptions: {
          input: { worker: `${SOURCE}/worker.ts` },
          output: { entryFileNames: "[name].mjs", chunkFileNames: "chunk-[hash].mjs" },
        },
      },
    })
    // Other runs may use the files. Each is therefore replaced as a whole, and imported files before those that import them.
    const names = readdirSync(draft).sort((one) => (one.startsWith("chunk-") ? -1 : 1))
    for (const name of names) renameSync(join(draft, name), join(CACHE, name))
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}
