import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { brotliDecompress } from "node:zlib"
import type { PGliteOptions } from "@electric-sql/pglite"

type Program = Pick<PGliteOptions, "pgliteWasmModule" | "initdbWasmModule" | "fsBundle">
type WasmModule = NonNullable<Program["pgliteWasmModule"]>

/** TypeScript has it among the types of browsers only. */
interface Wasm {
  compile(bytes: Uint8Array): Promise<WasmModule>
}

const NOTHING = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)

/**
 * PostgreSQL's program and files as the build has packed them beside the worker: 3 MB instead of 15. Empty where there
 * is no build, for PGlite then takes its own. What only initdb needs is left out, so the cluster must be there.
 */
export async function readProgram(beside: URL, cluster: string): Promise<Program> {
  const [wasmFile, dataFile] = [new URL("pglite.wasm.br", beside), new URL("pglite.data.br", beside)]
  if (!existsSync(wasmFile) || !existsSync(dataFile)) return {}
  if (!existsSync(join(cluster, "PG_VERSION"))) {
    throw new Error("the embedded database's seed archive is missing from this installation: install it again")
  }
  const [wasm, data] = await Promise.all([unpack(wasmFile), unpack(dataFile)])
  const { compile } = (globalThis as unknown as { readonly WebAssembly: Wasm }).WebAssembly
  return {
    pgliteWasmModule: await compile(wasm),
    // Given, so that PGlite does not look for its own file; it is never run.
    initdbWasmModule: await compile(NOTHING),
    fsBundle: new Blob([data]),
  }
}

const unpack = async (file: URL) => new Uint8Array(await promisify(brotliDecompress)(await readFile(file)))
