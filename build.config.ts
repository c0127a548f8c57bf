import { join } from "node:path"
import { defineBuildConfig } from "unbuild"
import { ensureSeed } from "./src/database/embedded/make-seed.ts"

export default defineBuildConfig({
  // The workers are files of their own, for a thread starts from a file.
  entries: [
    "src/index",
    { input: "src/database/embedded/worker", name: "embedded/worker" },
    { input: "src/bodies/s3/worker", name: "bodies/uploader" },
    { input: "src/tokenizer/worker", name: "tokenizer/worker" },
  ],
  outDir: "dist",
  clean: true,
  declaration: false,
  sourcemap: false,
  failOnWarn: false,
  rollup: { inlineDependencies: ["gpt-tokenizer"], emitCJS: false, esbuild: { target: "node20" } },
  hooks: {
    "build:done": (context) => ensureSeed(join(context.options.outDir, "embedded/seed.tar.gz")),
  },
})
