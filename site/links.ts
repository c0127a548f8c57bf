import { existsSync, readFileSync, statSync } from "node:fs"
import { dirname, join, relative, resolve, sep } from "node:path"

/** Where a link of a page leads. */
export type Target =
  /** Another site, or a mail address. */
  | { readonly kind: "elsewhere" }
  /** A page of the site, or a heading of it. */
  | { readonly kind: "page"; readonly href: string }
  /** A file of `docs/` that is no page, such as a dashboard for Grafana. `path` is relative to `docs/`. */
  | { readonly kind: "file"; readonly path: string }
  /** A file of the repository that is not in `docs/`. `path` is relative to the repository. */
  | { readonly kind: "repository"; readonly path: string }

/**
 * Finds where a link leads. Pages link to files, as the repository shows them, and the site must have the same targets.
 *
 * @param href the link as it stands in the page
 * @param page the absolute path of the page
 * @param docs the absolute path of `docs/`
 * @throws if there is no such file, or no such heading in it
 */
export function findTarget(href: string, page: string, docs: string): Target {
  if (/^([a-z][a-z\d+.-]*:|\/\/)/i.test(href)) return { kind: "elsewhere" }
  const [path = "", hash] = href.split("#", 2)
  const file = path === "" ? page : resolve(dirname(page), decodeURI(path))
  if (!existsSync(file)) throw new Error(`${page}: the link ${href} leads to no file`)
  const isPage = file.endsWith(".md")
  if (isPage && hash !== undefined && !readAnchors(file).has(decodeURI(hash)))
    throw new Error(`${page}: the link ${href} leads to no heading`)
  if (!`${file}${sep}`.startsWith(`${docs}${sep}`))
    return { kind: "repository", path: toUrl(relative(dirname(docs), file)) }
  if (statSync(file).isDirectory()) {
    // The repository shows the README of a folder, and the site its page.
    if (!existsSync(join(file, "README.md")))
      throw new Error(`${page}: the link ${href} leads to a folder without a page`)
    return { kind: "page", href: `${href.replace(/\/$/, "")}/index.md` }
  }
  if (!isPage) return { kind: "file", path: toUrl(relative(docs, file)) }
  // The repository shows README.md as the page of its folder; for the generator it is index.md.
  return { kind: "page", href: href.replace(/(^|\/)README\.md/, "$1index.md") }
}

/** Returns the anchor of a heading as GitHub makes it, so that links work in the repository and on the site. */
export function toAnchor(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M} _-]/gu, "")
    .replace(/ /g, "-")
}

/** Returns the text of a page without its fenced blocks. */
export function readProse(file: string): string {
  return readFileSync(file, "utf8").replace(/^```[\s\S]*?^```$/gm, "")
}

function readAnchors(file: string): ReadonlySet<string> {
  const headings = readProse(file).matchAll(/^#{1,6} (.*)$/gm)
  const anchors = new Set<string>()
  for (const [, heading] of headings) {
    const anchor = toAnchor(heading!.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1"))
    let unique = anchor
    for (let count = 1; anchors.has(unique); count++) unique = `${anchor}-${count}`
    anchors.add(unique)
  }
  return anchors
}

function toUrl(path: string): string {
  return path.split(sep).join("/")
}
