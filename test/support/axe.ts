import { readFileSync } from "node:fs"
import type { Page } from "playwright-core"

const source = readFileSync(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8")

/**
 * Returns what axe finds wrong in a page: the rule, and the first element that breaks it. In the dark theme, it checks colors
 * only, because the themes differ in nothing else. The page is left in the light theme.
 */
export async function findBarriers(page: Page): Promise<readonly string[]> {
  if (await page.evaluate("typeof axe === 'undefined'")) await page.evaluate(source)
  const found: string[] = []
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme })
    const rules = colorScheme === "dark" && { runOnly: ["color-contrast"] }
    // Without the other results, axe does not describe each element that is right.
    const options = { resultTypes: ["violations"], ...rules }
    const barriers = await page.evaluate<string[]>(
      `axe.run(${JSON.stringify(options)})
        .then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes[0].html))`,
    )
    found.push(...barriers.map((barrier) => `${colorScheme}: ${barrier}`))
  }
  return found
}
