import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "vitest"
import { loadSettings } from "../../src/server/settings.ts"
import { readBlocks } from "./_page.ts"

describe("every settings file on the pages is read without a warning and changes a default", () => {
  const dir = mkdtempSync(join(tmpdir(), "majordomo-docs-"))
  afterAll(() => rmSync(dir, { recursive: true }))
  const pages = ["", "migrating/"].flatMap((folder) =>
    readdirSync(new URL(`../../docs/${folder}`, import.meta.url)).map((name) => `${folder}${name}`),
  )
  const blocks = pages
    .filter((name) => name.endsWith(".md"))
    .flatMap((page) => readBlocks(page).filter(({ language, marks }) => language === "yaml" && marks.has("run")))
  test.each(blocks.map((block) => [`${block.page}:${block.line}`, block] as const))(
    "%s",
    async (_where, { text, line }) => {
      const configFile = join(dir, `line-${line}.yaml`)
      writeFileSync(configFile, text)
      const { warnings, sources } = await loadSettings({ configFile, cwd: dir, env: {} })
      expect(warnings).toEqual([])
      expect(Object.values(sources).some((source) => source !== "default")).toBe(true)
    },
  )
})
