import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { extname, join } from "node:path"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { findTarget, readProse, toAnchor } from "../../site/links.ts"
import { type Entry, readNavigation } from "../../site/navigation.ts"
import { launchBrowser, noBrowser } from "../support/browser.ts"

const DOCS = fileURLToPath(new URL("../../docs", import.meta.url))
const SITE = fileURLToPath(new URL("../../site", import.meta.url))
const isInstalled = existsSync(join(SITE, "node_modules/vitepress"))

const pages = readdirSync(DOCS, { recursive: true, encoding: "utf8" })
  .map((name) => name.replaceAll("\\", "/"))
  .filter((name) => name.endsWith(".md"))
  .sort()
const flatten = (entries: readonly Entry[]): string[] => entries.flatMap(({ file, pages }) => [file, ...flatten(pages)])

describe("the pages of docs/", () => {
  test.each(pages)("%s links only to files and headings that exist", (name) => {
    const page = join(DOCS, name)
    const links = [...readProse(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, href]) => href!)
    const dead = links.flatMap((href) => {
      try {
        findTarget(href, page, DOCS)
        return []
      } catch (error) {
        return [(error as Error).message]
      }
    })
    expect(dead).toEqual([])
  })

  test.each(pages)("%s has only whole tables: no row stands alone, and none has more cells than its head", (name) => {
    const tables = readProse(join(DOCS, name)).match(/^\|.*(?:\n\|.*)*/gm) ?? []
    const count = (row: string) => row.replaceAll(/`[^`]*`|\\\|/g, "").split("|").length
    for (const table of tables) {
      const [head = "", rule = "", ...rows] = table.split("\n")
      expect(rule, head).toMatch(/^\|(?: *:?-+:? *\|)+$/)
      for (const row of rows) expect(count(row), row).toBe(count(head))
    }
  })

  test("are each once in the navigation, which is docs/index.md", () => {
    const listed = readNavigation(DOCS).flatMap(({ entries }) => flatten(entries))
    expect([...listed, "index.md"].sort()).toEqual(pages)
  })

  test("may link to a folder that has a page", () => {
    const page = join(DOCS, "index.md")
    expect(findTarget("integrations/", page, DOCS)).toEqual({ kind: "page", href: "integrations/index.md" })
    expect(() => findTarget("grafana", page, DOCS)).toThrow("leads to a folder without a page")
  })

  test("have the same anchors in the repository and on the site", () => {
    expect(toAnchor("What is *guaranteed*?")).toBe("what-is-guaranteed")
    expect(toAnchor("`serve` & its options")).toBe("serve--its-options")
    expect(toAnchor("Übersicht_2")).toBe("übersicht_2")
  })
})

/** Builds a site. @returns the exit code and what the generator says */
async function build(target: string, env: Readonly<Record<string, string>> = {}) {
  const program = join(SITE, "node_modules/vitepress/bin/vitepress.js")
  const child = spawn(process.execPath, [program, "build", "--outDir", target], {
    cwd: SITE,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  })
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise((resolve) => child.once("close", resolve)),
  ])
  return { code, said: stdout + stderr }
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
}

/** Serves a directory on the loopback interface, as a static host does. */
async function serveFiles(directory: string) {
  const server = createServer((request, response) => {
    const path = decodeURI(new URL(request.url!, "http://localhost").pathname).replace(/\/$/, "/index.html")
    const file = join(directory, path)
    if (!existsSync(file)) return void response.writeHead(404).end()
    response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" })
    response.end(readFileSync(file))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() }
}

describe.skipIf(!isInstalled)("a dead link ends the build", () => {
  test.each([
    ["to a page", "[gone](gone.md)", "the link gone.md leads to no file"],
    ["to a heading", "[gone](#gone)", "the link #gone leads to no heading"],
  ])("%s", async (_, link, message) => {
    const docs = mkdtempSync(join(tmpdir(), "majordomo-site-"))
    try {
      writeFileSync(join(docs, "index.md"), `# Start\n\n${link}\n`)
      const { code, said } = await build(join(docs, "out"), { DOCS_DIRECTORY: docs })
      expect(said).toContain(message)
      expect(code).not.toBe(0)
    } finally {
      rmSync(docs, { recursive: true })
    }
  })
})

describe.skipIf(!isInstalled)("the site", () => {
  const directory = mkdtempSync(join(tmpdir(), "majordomo-site-"))
  let site: Awaited<ReturnType<typeof serveFiles>>
  let browser: Browser

  beforeAll(async () => {
    const { code, said } = await build(directory)
    expect(said).not.toMatch(/warn/i)
    expect(code, said).toBe(0)
    site = await serveFiles(directory)
    if (!noBrowser) browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    site?.close()
    rmSync(directory, { recursive: true, force: true })
  })

  const toPath = (page: string) => `/${page.replace(/README\.md$/, "index.md").replace(/(index)?\.md$/, "")}`
  const toFile = (page: string) => page.replace(/README\.md$/, "index.md").replace(/\.md$/, ".html")

  test("has every page, and the files that pages link to", () => {
    for (const page of pages) expect(existsSync(join(directory, toFile(page))), page).toBe(true)
    expect(existsSync(join(directory, "grafana/majordomo.json"))).toBe(true)
  })

  test.skipIf(noBrowser)("leads from the navigation to every page", async () => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
    await page.goto(`${site.origin}/integrations/`)
    const links = await page.locator(".VPSidebar a").evaluateAll((all) => all.map((each) => each.getAttribute("href")!))
    const targets = links.map((href) => href.replace(/\.html$/, ""))
    for (const name of pages.filter((each) => each !== "index.md")) expect(targets, name).toContain(toPath(name))
    await page.close()
  })

  test.skipIf(noBrowser)("finds a word in all pages, without a server", async () => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
    await page.goto(site.origin)
    await page.getByRole("button", { name: "Search" }).first().click()
    await page.getByRole("searchbox").fill("budget")
    await page.locator(".VPLocalSearchBox a[href*='/limits']").first().click()
    await page.waitForURL(/\/limits/)
    await page.close()
  })

  test.skipIf(noBrowser).each([
    ["light", 1280],
    ["dark", 375],
  ] as const)(
    "shows each page (%s, %i px wide) without scrolling sideways, faults or requests to other hosts",
    async (scheme, width) => {
      const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: scheme })
      const page = await context.newPage()
      const foreign: string[] = []
      const faults: string[] = []
      page.on("request", (request) => {
        const url = request.url()
        if (!url.startsWith(site.origin) && !url.startsWith("data:")) foreign.push(url)
      })
      page.on("pageerror", (error) => faults.push(`${page.url()}: ${error}`))
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") faults.push(`${page.url()}: ${message.text()}`)
      })
      for (const name of pages) {
        await page.goto(`${site.origin}/${toFile(name)}`)
        await page.locator("h1").first().waitFor()
        const root = page.locator("html")
        const isWide = await root.evaluate(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
        if (isWide) faults.push(`${name} scrolls sideways`)
        const isDark = /\bdark\b/.test((await root.getAttribute("class")) ?? "")
        expect(isDark).toBe(scheme === "dark")
      }
      await context.close()
      expect(faults).toEqual([])
      expect(foreign).toEqual([])
    },
  )
})
