import { type Rollup, transformWithEsbuild } from "vite"

/** Minifies bundled packages. Our own code stays readable, so that a stack trace shows where an error happened. */
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
