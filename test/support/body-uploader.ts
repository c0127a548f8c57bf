import { rmSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { build } from "vite"

export interface BuiltBodies {
  /** The file from which a thread starts. */
  readonly uploader: URL
  /** A process that stores bodies; see `test/bodies/_keeper.ts`. */
  readonly keeper: string
  remove(): void
}

/** Compiles the uploader's thread and a keeper process to JavaScript, because node 20 cannot load TypeScript in them. */
export async function buildBodies(): Promise<BuiltBodies> {
  const outDir = join("node_modules/.cache/majordomo-gateway", `bodies-${process.pid}`)
  await build({
    configFile: false,
    logLevel: "error",
    build: {
      ssr: true,
      target: "node20",
      minify: false,
      outDir,
      rollupOptions: {
        input: { uploader: "src/bodies/s3/worker.ts", keeper: "test/bodies/_keeper.ts" },
        output: { entryFileNames: "[name].mjs", chunkFileNames: "chunk-[hash].mjs" },
      },
    },
  })
  return {
    uploader: pathToFileURL(join(outDir, "uploader.mjs")),
    keeper: join(outDir, "keeper.mjs"),
    remove: () => rmSync(outDir, { recursive: true, force: true }),
  }
}
