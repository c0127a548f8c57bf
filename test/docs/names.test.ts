import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, test } from "vitest"
import { type AnyCommand, checkArguments } from "../../src/cli/_command.ts"
import { createRowFinder, listRows } from "../../src/config/rows.ts"
import { PROVIDER_CATALOG } from "../../src/providers/catalog.ts"
import { readBlocks, toSteps } from "./_page.ts"

const DOCS = fileURLToPath(new URL("../../docs/", import.meta.url))
const CLI = fileURLToPath(new URL("../../src/cli/", import.meta.url))
/** The file of a command whose name is also that of a group. */
const GROUPS: Readonly<Record<string, string>> = { usage: "report", reconcile: "run", archive: "run" }

/** Fields of requests and attributes of OpenTelemetry, which look like settings. */
const OTHERS = ["metadata.user_id", "metadata.session_id", "server.address"]

const pages = readdirSync(DOCS, { recursive: true, encoding: "utf8" })
  .map((name) => name.replaceAll("\\", "/"))
  .filter((name) => name.endsWith(".md"))

/** Splits a line of a shell into the words of each of its commands, as far as our pages need it. */
function splitCommands(text: string): string[][] {
  const commands: string[][] = [[]]
  const pattern = /\\\n|"((?:[^"\\]|\\.)*)"|'([^']*)'|(#.*)|(\|\||&&|[|;&\n<>])|((?:\$\([^)]*\)|[^\s"'|;&<>])+)|\s+/g
  let glued = false
  for (const [whole, double, single, comment, operator, word] of text.matchAll(pattern)) {
    const piece = double ?? single ?? word
    if (piece !== undefined && glued) commands.at(-1)!.push(`${commands.at(-1)!.pop() ?? ""}${piece}`)
    else if (piece !== undefined) commands.at(-1)!.push(piece)
    else if (operator !== undefined) commands.push([])
    glued = piece !== undefined && comment === undefined && !/\s/.test(whole.at(-1)!)
  }
  return commands
}

/** Returns the arguments of our program in a command, or undefined for another program. */
function toArguments(words: readonly string[]): readonly string[] | undefined {
  const at = words.findIndex((word) => /^(majordomo|majordomo-gateway)$/.test(word))
  const before = words.slice(0, Math.max(at, 0))
  const isOurs = before.every((word) => /^(sudo|exec|npx|-y|--no-install)$|=/.test(word))
  return at >= 0 && isOurs ? words.slice(at + 1) : undefined
}

async function loadCommand(args: readonly string[]) {
  const [group = "", name = ""] = args
  const candidates = [
    [`${group}/${name}.ts`, 2],
    [`${group}.ts`, 1],
    [`${group}/${GROUPS[group] ?? "_"}.ts`, 1],
  ] as const
  const [file, count] = candidates.find(([path]) => existsSync(join(CLI, path))) ?? []
  if (file === undefined) return undefined
  const { default: command } = (await import(join(CLI, file))) as { readonly default: AnyCommand }
  return { command, rest: args.slice(count), title: args.slice(0, count).join(" ") }
}

test("docs/troubleshooting.md has each error code of the gateway, with its status", () => {
  const source = readFileSync(new URL("../../src/core/errors.ts", import.meta.url), "utf8")
  const codes = [...source.matchAll(/^ {2}(\w+): (\d{3}),$/gm)].map(([, code, status]) => `${status} ${code}`)
  const rows = readFileSync(join(DOCS, "troubleshooting.md"), "utf8").matchAll(/^\| (\d{3}) `(\w+)` \|/gm)
  expect([...rows].map(([, status, code]) => `${status} ${code}`).sort()).toEqual(codes.sort())
})

test("docs/dashboard.md has each page of the navigation", () => {
  const source = readFileSync(new URL("../../src/dashboard/views/index.ts", import.meta.url), "utf8")
  const titles = [...source.matchAll(/title: "([^"]+)", group:/g)].map(([, title]) => title)
  const rows = readFileSync(join(DOCS, "dashboard.md"), "utf8").matchAll(/^\| ([A-Z][a-z ]+) \|/gm)
  expect([...rows].map(([, title]) => title).sort()).toEqual(titles.sort())
})

test("a line is split as a shell does it", () => {
  const text = `A=1 npx majordomo usage --by 'a b' --where "x=$(date +%F)" \\\n  --json | jq .x > out # note\nls`
  expect(splitCommands(text).filter(({ length }) => length > 0)).toEqual([
    ["A=1", "npx", "majordomo", "usage", "--by", "a b", "--where", "x=$(date +%F)", "--json"],
    ["jq", ".x"],
    ["out"],
    ["ls"],
  ])
  expect(toArguments(["A=1", "npx", "majordomo", "usage", "--json"])).toEqual(["usage", "--json"])
  expect(toArguments(["kubectl", "exec", "majordomo-gateway"])).toBeUndefined()
})

test.each(pages)("%s shows only commands and options that exist", async (page) => {
  const lines = readBlocks(page).flatMap(({ language, text }) => {
    if (language === "console") return toSteps(text).map(({ command }) => command)
    return language === "sh" ? [text] : []
  })
  const problems: string[] = []
  for (const words of lines.flatMap(splitCommands)) {
    const args = toArguments(words)
    if (args === undefined || args.length === 0 || /^(--|help$|version$)/.test(args[0]!)) continue
    const found = await loadCommand(args)
    if (found === undefined) problems.push(`there is no command ${args.join(" ")}`)
    else {
      try {
        checkArguments(found.title, found.command, found.rest)
      } catch (error) {
        problems.push((error as Error).message)
      }
    }
  }
  expect(problems).toEqual([])
})

// The pages about other gateways name the settings of those.
test.each(pages.filter((page) => !page.startsWith("migrating")))("%s names only settings that exist", (page) => {
  const findRow = createRowFinder(PROVIDER_CATALOG)
  const paths = listRows().map(({ path }) => path)
  const sections = new Set(paths.flatMap((path) => (path.includes(".") ? [path.split(".", 1)[0]!] : [])))
  const isKnown = (name: string) =>
    findRow(name) !== undefined ||
    paths.some((path) => path.startsWith(`${name}.`) || name.startsWith(`${path}.`)) ||
    // Settings of a provider, with a name in place of it.
    /^(providers|notifications\.channels|deployments)\./.test(name)
  const text = readFileSync(join(DOCS, page), "utf8").replace(/^```[\s\S]*?^```$/gm, "")
  const named = [...text.matchAll(/`([a-z][a-z_\d]*(?:\.[a-z_\d]+)+)(?:: [^`]*)?`/g)]
    .map(([, name]) => name!)
    .filter((name) => sections.has(name.split(".", 1)[0]!) && !/\.(ya?ml|json|key|md|ts|env)$/.test(name))
  expect(named.filter((name) => !isKnown(name) && !OTHERS.includes(name))).toEqual([])
})
