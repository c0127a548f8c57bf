import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { brotliDecompress } from "node:zlib"
import type { PGliteOptions } from "@electric-sql/pglite"

type Program = Pick<PGliteOptions, "pgliteWasmModule" | "initdbWasmModule" | "fsBundle">
type WasmModule = NonNullable<Program["pgliteWasmModule"]>

/** The part of `WebAssembly` that is used here. TypeScript declares it only among the types of browsers. */
interface Wasm {
  compile(bytes: Uint8Array): Promise<WasmModule>
}

/** The smallest valid module: the magic number and the version. */
const EMPTY_MODULE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)

/**
 * Reads PostgreSQL's program and files, which the build compresses beside the worker (3 MB instead of 15 MB). Returns
 * an empty object when there is no build; PGlite then reads its own files. The build leaves out what only initdb needs,
 * so the cluster must exist already. Throws when it does not.
 */
export async function readProgram(beside: URL, cluster: string): Promise<Program> {
  const [wasmFile, dataFile] = [new URL("pglite.wasm.br", beside), new URL("pglite.data.br", beside)]
  if (!existsSync(wasmFile) || !existsSync(dataFile)) return {}
  if (!existsSync(join(cluster, "PG_VERSION"))) {
    throw new Error("the embedded database's seed archive is missing from this installation: reinstall the package")
  }
  const [wasm, data] = await Promise.all([unpack(wasmFile), unpack(dataFile)])
  const { compile } = (globalThis as unknown as { readonly WebAssembly: Wasm }).WebAssembly
  return {
    pgliteWasmModule: await compile(wasm),
    // PGlite would look for its own initdb file without this module. It never runs it.
    initdbWasmModule: await compile(EMPTY_MODULE),
    fsBundle: new Blob([data]),
  }
}

const unpack = async (file: URL) => new Uint8Array(await promisify(brotliDecompress)(await readFile(file)))
