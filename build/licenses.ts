import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Rollup } from "vite"

export interface Licensed {
  readonly name: string
  readonly version: string
  readonly license?: string
  readonly text: string
}
/** Collects the license texts of all packages that the bundle contains a part of, and writes them to a file. */
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
    /** Adds the package of a path, for a package that enters the bundle by another way than an import. */
    see,
    /** Writes the file. `inside` are the licenses of software that is compiled into a package. */
    finish(inside: readonly Licensed[]) {
      write(file, toText([...[...found.keys()].map(readPackage), ...inside]))
    },
  }
}

function readPackage(directory: string): Licensed {
  const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as Omit<Licensed, "text">
  const texts = readdirSync(directory)
    .filter((name) => /^(licen[cs]e|notice|copying)/i.test(name) && !/\.(gz|js|ts)$/.test(name))
    .sort()
    .map((name) => readFileSync(join(directory, name), "utf8").trim())
  const { name, version, license } = manifest
  return { name, version, license, text: texts.join("\n\n") || inReadme(directory) }
}

/** Reads the license at the end of a README, where some packages have it. */
function inReadme(directory: string): string {
  const name = readdirSync(directory).find((each) => /^readme/i.test(each))
  const text = name === undefined ? "" : readFileSync(join(directory, name), "utf8")
  return /^#+ *licen[cs]e\s+([\s\S]*copyright[\s\S]*)$/im.exec(text)?.[1]?.trim() ?? ""
}

function toText(packages: readonly Licensed[]): string {
  const byText = new Map<string, string[]>()
  for (const { name, version, license, text } of packages) {
    if (text === "" && license === undefined) throw new Error(`${name} has neither a license nor its text`)
    const key =
      text || `${license}: the package has no license text of its own; the text of that license is above or below.`
    const line = `${name} ${version} (${license})`
    byText.set(key, [...new Set([...(byText.get(key) ?? []), line])])
  }
  const parts = [...byText].map(([text, names]) => `${names.sort().join("\n")}\n\n${text}`).sort()
  const head = "This package contains parts of the following packages. Their licenses:"
  return `${[head, ...parts].join(`\n\n${"-".repeat(80)}\n\n`)}\n`
}
