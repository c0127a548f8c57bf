import type { Page } from "playwright-core"
import { expect } from "vitest"
import { findBarriers } from "../support/axe.ts"

/** A telephone, a tablet and a desktop. */
const WIDTHS = [360, 768, 1280]

/**
 * Expects that nothing in a page is wider than it, and that axe finds nothing, at each width and in both themes. With
 * SCREENSHOTS=DIRECTORY, it stores what it has looked at.
 */
export async function expectFitsAllWidths(page: Page, view: string): Promise<void> {
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 900 })
    const overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    expect(overflow, `${view} at ${width}`).toBeLessThanOrEqual(0)
    expect(await findBarriers(page), `${view} at ${width}`).toEqual([])
    const shots = process.env["SCREENSHOTS"]
    if (shots) await page.screenshot({ path: `${shots}/${view}-${width}.png`, fullPage: true })
  }
}
