import { execFile } from "node:child_process"
import { createRequire } from "node:module"
import { promisify } from "node:util"

const run = promisify(execFile)

/**
 * Returns the path of the npm package `chdb`, which is ClickHouse as a library; undefined if it is not installed. Its 540 MB are
 * no dependency: `npm install --no-save chdb`, or `ARCHIVE_CHDB` with the path of the package.
 */
export function findChdb(): string | undefined {
  const path = process.env["ARCHIVE_CHDB"]
  if (path) return path
  try {
    return createRequire(import.meta.url).resolve("chdb")
  } catch {
    return undefined
  }
}

/** Runs a statement in ClickHouse, in a process of its own. All values are text, or null. */
export async function askClickHouse(chdb: string, sql: string): Promise<readonly Record<string, string | null>[]> {
  const program = `process.stdout.write(require(${JSON.stringify(chdb)}).query(process.argv[1] + " SETTINGS output_format_json_quote_decimals = 1, output_format_json_quote_64bit_integers = 1", "JSONEachRow"))`
  const { stdout } = await run(process.execPath, ["-e", program, sql], {
    maxBuffer: 1 << 28,
    env: { ...process.env, TZ: "UTC" },
  })
  return stdout.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Record<string, string | null>]))
}
