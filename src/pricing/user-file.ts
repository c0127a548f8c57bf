import { readFile } from "node:fs/promises"
import { CommandError } from "../core/errors.ts"
import { isRecord } from "../kit/json/is-record.ts"
import type { PriceBookOptions } from "./options.ts"

/**
 * Reads a file of the user: JSON, or YAML if its name ends in `.yaml` or `.yml`.
 *
 * @returns the content; undefined if `path` is undefined or empty
 * @throws CommandError for a file that cannot be read, or whose content is not an object
 */
export async function readUserFile(
  setting: string,
  path: string | undefined,
  readYaml: PriceBookOptions["readYaml"],
): Promise<Record<string, unknown> | undefined> {
  if (path === undefined || path === "") return undefined
  const text = await readText(setting, path)
  const isYaml = /\.ya?ml$/i.test(path) && readYaml !== undefined
  const content = isYaml ? await parseYaml(setting, path, readYaml) : parseJson(text)
  if (isRecord(content)) return content
  throw new CommandError(`${setting}: ${path}: expected ${isYaml ? "settings by name" : "a JSON object"}`)
}

async function readText(setting: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8")
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === "ENOENT" ? "no such file" : "it cannot be read"
    throw new CommandError(`${setting}: ${path}: ${why}`)
  }
}

async function parseYaml(setting: string, path: string, readYaml: (path: string) => Promise<unknown>) {
  try {
    return await readYaml(path)
  } catch (error) {
    throw new CommandError(`${setting}: ${(error as Error).message}`)
  }
}

/** Returns undefined for text that is not JSON: it needs the same repair as JSON of another kind. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
