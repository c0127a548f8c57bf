import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { extname, join, resolve } from "node:path"
import { brotliCompressSync, constants } from "node:zlib"
import { build } from "vite"

/** Builds the dashboard, and compresses its files once, so that the gateway never does. */
export async function buildDashboard(outDir: string): Promise<void> {
  await build({
    root: "src/dashboard",
    base: "/dashboard/",
    configFile: false,
    logLevel: "warn",
    esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
    build: {
      outDir: resolve(outDir),
      emptyOutDir: true,
      target: "es2022",
      // The Content-Security-Policy allows no code and no pictures in the page itself.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
    },
  })
  compress(outDir)
}

const TEXTS = [".html", ".js", ".css", ".svg"]

function compress(directory: string): void {
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    if (!TEXTS.includes(extname(name))) continue
    const text = readFileSync(join(directory, name))
    const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: text.length }
    writeFileSync(join(directory, `${name}.br`), brotliCompressSync(text, { params }))
  }
}
