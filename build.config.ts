import { writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { type BuildConfig, defineBuildConfig } from "unbuild"
import { buildDashboard } from "./build/dashboard.ts"
import { engineLicenses, packEngine } from "./build/engine.ts"
import { lean } from "./build/lean.ts"
import { collectLicenses } from "./build/licenses.ts"
import { minifyPackages } from "./build/minify.ts"
import { writeTypes } from "./build/types.ts"
import { ensureSeed } from "./src/embedded/seed/make-seed.ts"

const licenses = collectLicenses("THIRD_PARTY_LICENSES", writeFileSync)

const ROLLUP: NonNullable<BuildConfig["rollup"]> = {
  emitCJS: false,
  // The package has no dependencies: everything that it uses of other packages is bundled.
  inlineDependencies: true,
  resolve: { exportConditions: ["node"] },
  esbuild: { target: "node20" },
}

const main = defineBuildConfig({
  // A worker thread starts from a file, so each kind of thread is an entry.
  entries: [
    "src/index",
    { input: "src/embedded/engine/worker", name: "embedded/worker" },
    { input: "src/bodies/s3/worker", name: "bodies/uploader" },
    { input: "src/operations/archive/worker", name: "archive/worker" },
    // Users import it as majordomo-gateway/client.
    { input: "src/client/index", name: "client" },
    { input: "src/tokenizer/worker", name: "tokenizer/worker" },
  ],
  outDir: "dist",
  clean: true,
  declaration: false,
  sourcemap: false,
  failOnWarn: false,
  rollup: ROLLUP,
  hooks: {
    "rollup:options": (_context, options) => {
      const plugins = Array.isArray(options.plugins) ? options.plugins : [options.plugins]
      // A chunk imports only what it uses itself. With hoisted imports, `--help` would load the file system and TLS.
      for (const output of [options.output].flat()) Object.assign(output ?? {}, { hoistTransitiveImports: false })
      options.plugins = [lean(), ...plugins, minifyPackages(), licenses.plugin]
    },
    "build:done": async ({ options }) => {
      const embedded = join(options.outDir, "embedded")
      await Promise.all([
        ensureSeed(join(embedded, "seed.tar.br")),
        packEngine(embedded),
        buildDashboard(join(options.outDir, "dashboard")),
      ])
      for (const name of ["@pydantic/genai-prices", "jiti", "preact"])
        licenses.see(resolve("node_modules", name, "package.json"))
      licenses.finish(engineLicenses())
      writeTypes("src/client/index.ts", join(options.outDir, "client.d.mts"))
    },
  },
})

/** One file of its own, because a status line is drawn often: each module would take a millisecond to load. */
const statusLine = defineBuildConfig({
  entries: [{ input: "src/cli/_statusline-only", name: "statusline" }],
  outDir: "dist",
  clean: false,
  declaration: false,
  failOnWarn: false,
  rollup: ROLLUP,
})

export default [main, statusLine].flat()
