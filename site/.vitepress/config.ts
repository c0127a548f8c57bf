import { cpSync, mkdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Plugin } from "vite"
import { defineConfig, type MarkdownOptions } from "vitepress"
import { findTarget, toAnchor } from "../links.ts"
import { type Entry, readNavigation } from "../navigation.ts"

type Token = Parameters<
  NonNullable<Parameters<NonNullable<MarkdownOptions["config"]>>[0]["renderer"]["rules"]["text"]>
>[0][number]

/** Tests build other pages with it. */
const DOCS = process.env["DOCS_DIRECTORY"] ?? fileURLToPath(new URL("../../docs", import.meta.url))
/**
 * The address of the repository without a slash at its end, by default that of the package. Without one, links to other files
 * of the repository are plain text.
 */
const REPOSITORY = process.env["DOCS_REPOSITORY"] ?? readRepository()

const files = new Set<string>()

export default defineConfig({
  title: "majordomo-gateway",
  description: "What did our LLM calls cost, and who spent it?",
  lang: "en",
  /** The path under which the site is served, with slashes at both ends. */
  base: process.env["DOCS_BASE"] || "/",
  srcDir: DOCS,
  cacheDir: fileURLToPath(new URL("../node_modules/.cache/vitepress", import.meta.url)),
  rewrites: (file) => file.replace(/(^|\/)README\.md$/, "$1index.md"),
  // An empty icon, so that no browser asks for one.
  head: [["link", { rel: "icon", href: "data:," }]],
  // The generator looks for packages from the pages, which are not below this package.
  vite: { plugins: [resolveFromHere()], ssr: { external: ["vue", "vue/server-renderer"] } },
  markdown: {
    anchor: { slugify: toAnchor },
    languageAlias: { env: "dotenv", console: "shellsession" },
    config(md) {
      md.core.ruler.push("links", ({ tokens, env }) => {
        for (const { children } of tokens) if (children) followLinks(children, env.realPath ?? env.path)
      })
    },
  },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    sidebar: readNavigation(DOCS).map(({ text, entries }) => ({ text, items: entries.map(toItem) })),
    ...(REPOSITORY ? { socialLinks: [{ icon: "github" as const, link: REPOSITORY }] } : {}),
  },
  buildEnd({ outDir }) {
    for (const file of files) {
      mkdirSync(dirname(join(outDir, file)), { recursive: true })
      cpSync(join(DOCS, file), join(outDir, file))
    }
  },
})

/** Finds the packages that pages import where this file finds them. */
function resolveFromHere(): Plugin {
  return {
    name: "resolve-from-here",
    enforce: "pre",
    resolveId(source, importer, options) {
      if (importer === undefined || !importer.startsWith(DOCS) || /^[./\0]/.test(source)) return undefined
      return this.resolve(source, fileURLToPath(new URL("../links.ts", import.meta.url)), {
        ...options,
        skipSelf: true,
      })
    },
  }
}

function readRepository(): string | undefined {
  const file = fileURLToPath(new URL("../../package.json", import.meta.url))
  const { repository } = JSON.parse(readFileSync(file, "utf8")) as { repository?: { url?: string } }
  return repository?.url?.replace(/^git\+/, "").replace(/\.git$/, "")
}

function toItem({ text, file, pages }: Entry): object {
  const link = `/${file.replace(/(README|index)\.md$/, "").replace(/\.md$/, "")}`
  return pages.length === 0 ? { text, link } : { text, link, collapsed: true, items: pages.map(toItem) }
}

/** Replaces the links of a paragraph by those of the site. @throws for a link that leads nowhere, which ends the build */
function followLinks(tokens: Token[], page: string): void {
  let isPlain = false
  for (const token of tokens) {
    if (token.type === "link_open") {
      const href = token.attrGet("href")!
      const target = findTarget(href, page, DOCS)
      if (target.kind === "page") token.attrSet("href", target.href)
      if (target.kind === "file") files.add(target.path)
      isPlain = target.kind === "repository" && !REPOSITORY
      if (target.kind === "repository") token.attrSet("href", `${REPOSITORY}/blob/main/${target.path}`)
    }
    if (isPlain && /^link_(open|close)$/.test(token.type)) {
      isPlain = token.type === "link_open"
      Object.assign(token, { type: "text", content: "" })
    }
  }
}
