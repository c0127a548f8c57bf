import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"

/** A page in the navigation. `file` is relative to `docs/`. */
export interface Entry {
  readonly text: string
  readonly file: string
  /** The pages of its folder: that of a README, or `NAME/` for `NAME.md`. */
  readonly pages: readonly Entry[]
}

export interface Section {
  readonly text: string
  readonly entries: readonly Entry[]
}

/**
 * Reads the navigation from `docs/index.md`: each second-level heading is a section, and each item of its list that begins
 * with a link is a page. The pages of its folder follow it by their titles.
 *
 * @param docs the absolute path of `docs/`
 */
export function readNavigation(docs: string): readonly Section[] {
  const [, ...sections] = readFileSync(join(docs, "index.md"), "utf8").split(/^## /m)
  return sections.map((section) => ({
    text: section.split("\n", 1)[0]!.trim(),
    entries: [...section.matchAll(/^\* \[([^\]]+)\]\(([^)#]+\.md)\)/gm)].map(([, text, file]) => ({
      text: text!,
      file: file!,
      pages: readFolder(docs, file!.endsWith("/README.md") ? dirname(file!) : file!.replace(/\.md$/, "")),
    })),
  }))
}

function readFolder(docs: string, folder: string): Entry[] {
  if (!existsSync(join(docs, folder))) return []
  return readdirSync(join(docs, folder))
    .filter((name) => name.endsWith(".md") && name !== "README.md")
    .map((name) => ({ text: readTitle(join(docs, folder, name)), file: `${folder}/${name}`, pages: [] }))
    .sort((one, other) => one.text.localeCompare(other.text, "en"))
}

function readTitle(file: string): string {
  return /^# (.*)$/m.exec(readFileSync(file, "utf8"))![1]!
}
