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
 * Why these: text keeps the terminal's own foreground, bold or dim, which its owner chose to be read on its background.
 * Of the sixteen colours white vanishes on a light background and so does yellow, black on a dark one and blue nearly;
 * red stands out on both, and bars are cyan, whose numbers stand beside them in the terminal's own.
 */
const ATTRIBUTES = ["1", "2", "22", "39"]
const COLOURS = ["31", "36"]
const BARS = "36"

/** The sixteen as three terminals show them by default. */
const PALETTES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  xterm: { 30: "000000", 31: "cd0000", 33: "cdcd00", 34: "0000ee", 36: "00cdcd", 37: "e5e5e5" },
  GNOME: { 30: "2e3436", 31: "cc0000", 33: "c4a000", 34: "3465a4", 36: "06989a", 37: "d3d7cf" },
  Windows: { 30: "0c0c0c", 31: "c50f1f", 33: "c19c00", 34: "0037da", 36: "3a96dd", 37: "cccccc" },
}

/** WCAG 2: from 1, which is nothing to be seen, to 21. */
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

describe("colours on a dark and on a light background", () => {
  test("text in a colour has the contrast of large text on both, bars can be seen on both", () => {
    for (const code of COLOURS) expect(worst(code), code).toBeGreaterThan(code === BARS ? 1.9 : 3)
    for (const code of ["30", "33", "37"]) expect(worst(code), code).toBeLessThan(1.9)
  })

  test("no command writes any other", () => {
    const directory = fileURLToPath(new URL("../../src/cli", import.meta.url))
    const files = readdirSync(directory, { recursive: true }).filter((name) => String(name).endsWith(".ts"))
    const texts = files.map((name) => readFileSync(join(directory, String(name)), "utf8")).join("\n")
    const codes = [...texts.matchAll(/(?:\\u001b|\\x1b|\\e|\\033)\[([\d;]*)m/g)].map(([, code]) => code!)
    expect([...new Set(codes)].sort()).toEqual([...ATTRIBUTES, ...COLOURS].sort())
  })

  test.each([80, 120])("at %i columns bars are cyan and errors red, and all else is the terminal's own", (width) => {
    const screen: Screen = { width, colour: true, drawing: true }
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
    const coloured = [...shown.matchAll(/\u001b\[(3[0-8])m([^\u001b]*)/g)]
    const of = (code: string) => coloured.filter(([, each]) => each === code).map(([, , text]) => text)
    expect(of(BARS).join("")).toMatch(/^[ ▁▂▃▄▅▆▇█▉▊▋▌▍▎▏]+$/)
    expect(of("31")).toEqual([expect.stringContaining("500")])
    expect(coloured).toHaveLength(of(BARS).length + 1)
    expect(shown).not.toMatch(/\u001b\[(4[0-9]|9\d|10[0-7])/)
  })
})
