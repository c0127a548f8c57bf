import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, test } from "vitest"
import { renderBars } from "../../src/cli/_chart.ts"
import type { Screen } from "../../src/cli/_print.ts"
import { renderBreakdown } from "../../src/cli/usage/_breakdown.ts"
import { createTailLines } from "../../src/cli/usage/_tail-line.ts"
import { findDimension, type UsageRow } from "../../src/reports/index.ts"

/**
 * Why only these: text keeps the terminal's foreground color, bold or dim, which is readable on its background. Of the
 * sixteen colors, white and yellow are invisible on a light background, and black and (nearly) blue on a dark one. Red is
 * readable on both. Bars are cyan, and their numbers beside them have the terminal's foreground color.
 */
const ATTRIBUTES = ["1", "2", "22", "39"]
const COLORS = ["31", "36"]
const BARS = "36"

/** The default palettes of three terminals. */
const PALETTES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  xterm: { 30: "000000", 31: "cd0000", 33: "cdcd00", 34: "0000ee", 36: "00cdcd", 37: "e5e5e5" },
  GNOME: { 30: "2e3436", 31: "cc0000", 33: "c4a000", 34: "3465a4", 36: "06989a", 37: "d3d7cf" },
  Windows: { 30: "0c0c0c", 31: "c50f1f", 33: "c19c00", 34: "0037da", 36: "3a96dd", 37: "cccccc" },
}

/** Returns the contrast by WCAG 2, from 1 (invisible) to 21. */
function contrast(one: string, other: string): number {
  const luminance = (hex: string) => {
    const [red = 0, green = 0, blue = 0] = [0, 2, 4].map((at) => {
      const share = Number.parseInt(hex.slice(at, at + 2), 16) / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}
const worst = (code: string) =>
  Math.min(
    ...Object.values(PALETTES).flatMap((of) => ["000000", "ffffff"].map((ground) => contrast(of[code]!, ground))),
  )

describe("colors on dark and on light backgrounds", () => {
  test("colored text has the contrast of large text on both, and bars are visible on both", () => {
    for (const code of COLORS) expect(worst(code), code).toBeGreaterThan(code === BARS ? 1.9 : 3)
    for (const code of ["30", "33", "37"]) expect(worst(code), code).toBeLessThan(1.9)
  })

  test("no command uses other colors", () => {
    const directory = fileURLToPath(new URL("../../src/cli", import.meta.url))
    const files = readdirSync(directory, { recursive: true }).filter((name) => String(name).endsWith(".ts"))
    const texts = files.map((name) => readFileSync(join(directory, String(name)), "utf8")).join("\n")
    const codes = [...texts.matchAll(/(?:\\u001b|\\x1b|\\e|\\033)\[([\d;]*)m/g)].map(([, code]) => code!)
    expect([...new Set(codes)].sort()).toEqual([...ATTRIBUTES, ...COLORS].sort())
  })

  test.each([80, 120])("at %i columns bars are cyan, errors are red, and nothing else has a color", (width) => {
    const screen: Screen = { width, color: true, drawing: true }
    const row: UsageRow = {
      values: ["gpt-4o-mini"],
      keyId: undefined,
      requests: 10,
      errors: 1,
      input_tokens: 1000,
      cached_tokens: 10,
      cache_creation_tokens: 0,
      output_tokens: 100,
      total_cost: "1.25",
      share: 0.6,
      exact: 8,
      estimated: 1,
      unpriced: 1,
      subscription_requests: 0,
      subscription_value: "0",
    }
    const failed = { created_at: new Date(0), model: "m", provider: "p", status_code: 500, outcome: "complete" }
    const shown = [
      renderBreakdown([findDimension("model")!], { rows: [row], total: row, groups: 2 }, screen),
      ...renderBars(
        [
          { label: "2026-11-01", value: 2 },
          { label: "2026-11-02", value: 1 },
        ],
        screen,
        String,
      ),
      createTailLines("UTC", screen)({ ...failed, cost_status: "free" }),
    ].join("\n")
    const colored = [...shown.matchAll(/\u001b\[(3[0-8])m([^\u001b]*)/g)]
    const textsIn = (code: string) => colored.filter(([, each]) => each === code).map(([, , text]) => text)
    expect(textsIn(BARS).join("")).toMatch(/^[ ▁▂▃▄▅▆▇█▉▊▋▌▍▎▏]+$/)
    expect(textsIn("31")).toEqual([expect.stringContaining("500")])
    expect(colored).toHaveLength(textsIn(BARS).length + 1)
    expect(shown).not.toMatch(/\u001b\[(4[0-9]|9\d|10[0-7])/)
  })
})
