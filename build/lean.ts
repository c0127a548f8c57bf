import { createRequire } from "node:module"
import type { Rollup } from "vite"
import { brotli, brotliFile } from "./brotli.ts"
import { leanPrices } from "./prices.ts"

const require = createRequire(import.meta.url)
const PREFIX = "\0lean:"

/** Modules that are never used, with the names that their importers need. The tests fail when one is used after all. */
const UNREACHED: Readonly<Record<string, readonly string[]>> = {
  // listhen: certificates, QR codes, tunnels, the clipboard, web sockets, watching
  "node-forge": ["default"],
  uqr: ["renderUnicodeCompact"],
  untun: [],
  tinyclip: [],
  "crossws/adapters/node": [],
  "@parcel/watcher": [],
  "@parcel/watcher-wasm": [],
  // c12: watching, remote layers
  chokidar: [],
  giget: [],
  ohash: [],
  "ohash/utils": [],
}
/** Files of packages that only unused options load. */
const UNREACHED_FILES = [/\/listhen\/dist\/chunks\//, /\/consola\/dist\/chunks\/prompt\./]

/** Only undici's dispatcher. All of `undici` would load fetch, mocks, caches and web sockets at every start. */
const UNDICI = `
export { default as Agent } from "undici/lib/dispatcher/agent.js"
export { default as Pool } from "undici/lib/dispatcher/pool.js"
export { default as buildConnector } from "undici/lib/core/connect.js"
export { default as errors } from "undici/lib/core/errors.js"`

/** Replaces the AWS SDK's warning about the Node versions that its later releases will require. */
const NO_WARNING = `export const state = { warningEmitted: true }
export const emitWarningIfUnsupportedVersion = () => {}`

/** Replaces pg's optional bindings to libpq, which cannot be installed beside a bundle. */
const PG_NATIVE = `module.exports = class { constructor() { throw new Error("pg-native is not part of this package") } }`

/**
 * Replaces what the MCP server loads for its environment. Its validator of JSON Schema would check what a person fills into
 * a form that a server asks for, and ours asks for none.
 */
const MCP_SHIMS = `
export { default as process } from "node:process"
export class DefaultJsonSchemaValidator {
  getValidator() { throw new Error("this MCP server asks for no forms") }
}`

/**
 * Replaces jiti, which loads a configuration file that is code. Its transpiler is large, so it is a compressed file.
 */
const jiti = (transpilerUrl: string) => `
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { compileFunction } from "node:vm"
import { brotliDecompressSync } from "node:zlib"
let transpiler
function transform(options) {
  if (transpiler === undefined) {
    const code = brotliDecompressSync(readFileSync(new URL(${transpilerUrl}))).toString()
    const module = { exports: {} }
    compileFunction(code, ["module", "exports", "require"])(module, module.exports, createRequire(import.meta.url))
    transpiler = module.exports
  }
  return transpiler(options)
}
const onError = (error) => { throw error }
const nativeImport = (id) => import(id)
export function createJiti(id, options = {}) {
  const load = () => import("jiti/dist/jiti.cjs").then(({ default: create }) =>
    create(id, { ...options, transform }, { onError, nativeImport, createRequire }))
  return { import: async (...args) => (await load()).import(...args) }
}`

/** A vocabulary of the tokenizer. Its array as compressed text is a third of its size as a program. */
const vocabulary = (url: string) => `
import { readFileSync } from "node:fs"
import { brotliDecompressSync } from "node:zlib"
export default JSON.parse(brotliDecompressSync(readFileSync(new URL(${url}))).toString())`

const REPLACED = ["undici", "jiti", "@pydantic/genai-prices", "@modelcontextprotocol/server/_shims"]

/** Removes unused parts of bundled packages that the bundler itself cannot recognize as unused. */
export function lean(): Rollup.Plugin {
  return {
    name: "lean",
    resolveId(source: string) {
      if (source === "jiti/dist/jiti.cjs") return require.resolve("jiti").replace(/lib\/jiti\.cjs$/, "dist/jiti.cjs")
      if (source in UNREACHED || REPLACED.includes(source)) return PREFIX + source
      return undefined
    },
    async load(id: string) {
      if (UNREACHED_FILES.some((file) => file.test(id))) return "export {}"
      if (/\/pg\/lib\/native\/index\.js$/.test(id)) return PG_NATIVE
      if (/\/emitWarningIfUnsupportedVersion\.js$/.test(id)) return NO_WARNING
      const ranks = /\/gpt-tokenizer\/.*\/bpeRanks\/(\w+)\.js$/.exec(id)?.[1]
      if (ranks !== undefined) {
        const { default: words } = (await import(id)) as { readonly default: unknown }
        const source = await brotli(Buffer.from(JSON.stringify(words)))
        const reference = this.emitFile({ type: "asset", fileName: `tokenizer/${ranks}.json.br`, source })
        return vocabulary(`import.meta.ROLLUP_FILE_URL_${reference}`)
      }
      if (!id.startsWith(PREFIX)) return undefined
      const name = id.slice(PREFIX.length)
      if (name === "undici") return UNDICI
      if (name === "@modelcontextprotocol/server/_shims") return MCP_SHIMS
      if (name === "@pydantic/genai-prices") return await leanPrices()
      if (name === "jiti") {
        const file = require.resolve("jiti").replace(/lib\/jiti\.cjs$/, "dist/babel.cjs")
        const reference = this.emitFile({
          type: "asset",
          fileName: "config/transpiler.cjs.br",
          source: await brotliFile(file),
        })
        return jiti(`import.meta.ROLLUP_FILE_URL_${reference}`)
      }
      const names = UNREACHED[name] ?? []
      return (
        names
          .map((each) => (each === "default" ? "export default undefined" : `export const ${each} = undefined`))
          .join("\n") || "export {}"
      )
    },
  }
}
