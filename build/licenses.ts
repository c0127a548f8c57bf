import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Rollup } from "vite"

interface Manifest {
  readonly name: string
  readonly version: string
  readonly license?: string
}
/** Code of others that came to us inside of a package, by the package. */
const INSIDE: Readonly<Record<string, string>> = {
  "@electric-sql/pglite": "PostgreSQL, ICU, Emscripten and musl are compiled into it.",
}

/** Writes the licence texts of all packages of which the bundle holds a part. */
export function collectLicenses(file: string, write: (file: string, text: string) => void) {
  const found = new Map<string, string>()
  const see = (id: string) => {
    const path = /^\0?(.*\/node_modules\/((?:@[^/]+\/)?[^/]+))\//.exec(id.replaceAll("\\", "/"))
    if (path !== null) found.set(path[1]!, path[2]!)
  }
  return {
    plugin: {
      name: "licenses",
      generateBundle(_options, bundle) {
        for (const part of Object.values(bundle)) {
          for (const id of "modules" in part ? Object.keys(part.modules) : []) see(id)
        }
      },
    } satisfies Rollup.Plugin,
    /** For what comes in by another way than an import: any path inside of the package. */
    see,
    finish() {
      write(file, toText([...found.keys()].map(readPackage)))
    },
  }
}

function readPackage(directory: string) {
  const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as Manifest
  const texts = readdirSync(directory)
    .filter((name) => /^(licen[cs]e|notice|copying)/i.test(name) && !/\.(gz|js|ts)$/.test(name))
    .sort()
    .map((name) => readFileSync(join(directory, name), "utf8").trim())
  return { ...manifest, text: texts.join("\n\n") }
}

function toText(packages: readonly ReturnType<typeof readPackage>[]): string {
  const byText = new Map<string, string[]>()
  for (const { name, version, license, text } of packages) {
    if (text === "" && license === undefined) throw new Error(`${name} has neither a licence nor its text`)
    const key = text || `${license} (the package holds no text of its own)`
    const line = `${name} ${version} (${license})${INSIDE[name] ? `. ${INSIDE[name]}` : ""}`
    byText.set(key, [...(byText.get(key) ?? []), line])
  }
  const parts = [...byText].map(([text, names]) => `${names.sort().join("\n")}\n\n${text}`).sort()
  const head = "Parts of these packages are in this one. Their licences:"
  return `${[head, ...parts].join(`\n\n${"-".repeat(80)}\n\n`)}\n`
}
