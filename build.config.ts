import { defineBuildConfig } from "unbuild"

export default defineBuildConfig({
  entries: ["src/index"],
  outDir: "dist",
  clean: true,
  declaration: false,
  sourcemap: false,
  failOnWarn: false,
  rollup: { emitCJS: false, esbuild: { target: "node20" } },
})
