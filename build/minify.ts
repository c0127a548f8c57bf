import { type Rollup, transformWithEsbuild } from "vite"

/** Packages are made small; our own code stays as it is read, so that a stack says where. */
export function minifyPackages(): Rollup.Plugin {
  return {
    name: "minify-packages",
    async transform(code: string, id: string) {
      if (!/\/node_modules\//.test(id) || !/\.[cm]?js($|\?)/.test(id)) return undefined
      const { code: small } = await transformWithEsbuild(code, "package.js", {
        minify: true,
        target: "node20",
        legalComments: "none",
        format: "esm",
        sourcemap: false,
      })
      return { code: small, map: null }
    },
  }
}
