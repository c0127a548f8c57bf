import { gzipSync } from "node:zlib"
import { describe, expect, test } from "vitest"
import { formatDecimal } from "../../../src/core/decimal.ts"
import { parseTime, toDayText } from "../../../src/reconcile/import/_day.ts"
import { findDecimalMark, parseNumber } from "../../../src/reconcile/import/_number.ts"
import { brief, csv, readBytes, readText } from "./_read.ts"

describe("a number is read exactly, however it is written:", () => {
  test.each([
    ["1234.5", ".", "1234.5"],
    ["-0.000000000000000001", ".", "-0.000000000000000001"],
    ["1,234,567.89", ".", "1234567.89"],
    ["$1,234.50", ".", "1234.5"],
    ["-$0.05", ".", "-0.05"],
    ["US$3", ".", "3"],
    ["3.10 USD", ".", "3.1"],
    ["(3.10)", ".", "-3.1"],
    ["\u22123.10", ".", "-3.1"],
    ["+7", ".", "7"],
    [".5", ".", "0.5"],
    ["1.2e-05", ".", "0.000012"],
    ["1.25E+3", ".", "1250"],
    ["0.0076500000000000005", ".", "0.00765"],
    ["1.234,56", ",", "1234.56"],
    ["1 234 567,8", ",", "1234567.8"],
    ["1\u202f234,5", ",", "1234.5"],
    ["1'234.5", ".", "1234.5"],
    ["-0,05", ",", "-0.05"],
    ["1.234", ",", "1234"],
    ["1,234", ".", "1234"],
  ] as const)("%s with the decimal mark %s is %s", (text, mark, expected) => {
    const value = parseNumber(text, mark)
    expect(value === undefined ? undefined : formatDecimal(value)).toBe(expected)
  })

  test.each([
    ["0,123", "."],
    ["12,34", "."],
    ["1.2.3", "."],
    ["€5", "."],
    ["abc", "."],
    ["0.5", ","],
    ["1,2,3", ","],
    ["-", "."],
    ["NaN", "."],
  ] as const)("%s is not a number with the decimal mark %s", (text, mark) => {
    expect(parseNumber(text, mark)).toBeUndefined()
  })

  test.each([
    ["0.5", "."],
    ["1,234.5", "."],
    ["1,5", ","],
    ["1.234,5", ","],
    ["0,125", ","],
    ["1.234", undefined],
    ["17", undefined],
  ])("%s shows the decimal mark %s", (text, mark) => {
    expect(findDecimalMark(text)).toBe(mark)
  })
})

describe("a day is the day in UTC:", () => {
  test.each([
    ["2026-11-01", "2026-11-01"],
    ["2026/9/1", "2026-09-01"],
    ["20261101", "2026-11-01"],
    ["01.11.2026", "2026-11-01"],
    ["2026-11-01T00:00:00Z", "2026-11-01"],
    ["2026-11-01 23:59:59.999 UTC", "2026-11-01"],
    ["2026-11-01T23:30:00-01:00", "2026-11-02"],
    ["2026-11-01T00:30:00+0100", "2026-10-31"],
    ["2026-11-01 00:00", "2026-11-01"],
    ["1793491200", "2026-11-01"],
    ["1793491200000", "2026-11-01"],
  ])("%s is %s", (text, day) => {
    expect(toDayText(parseTime(text, undefined)!)).toBe(day)
  })

  test("one date of the file shows the order of month and day for all", async () => {
    const days = async (...texts: readonly string[]) => {
      const bill = await readText(csv("date,cost", ...texts.map((text) => `${text},1`)), { provider: "acme" })
      return bill.lines.map(({ day }) => day)
    }
    expect(await days("03/11/2026", "13/11/2026")).toEqual(["2026-11-03", "2026-11-13"])
    expect(await days("11/03/2026", "11/13/2026")).toEqual(["2026-11-03", "2026-11-13"])
  })
})

describe("the same bill is read from a file", () => {
  const ROWS = ["date,model,cost,tokens", "2026-11-01,gpt-5,1.25,1000", "2026-11-02,“é”,2,20"]
  const EXPECTED = [
    { day: "2026-11-01", model: "gpt-5", bucket: "all", cost: "1.25", quantity: "1000" },
    { day: "2026-11-02", model: "“é”", bucket: "all", cost: "2", quantity: "20" },
  ]
  const text = csv(...ROWS)
  const utf16 = (swap: boolean) => {
    const bytes = Buffer.from(text, "utf16le")
    return swap ? bytes.swap16() : bytes
  }
  test.each([
    ["in UTF-8", Buffer.from(text)],
    ["with a byte order mark", Buffer.from(`\ufeff${text}`)],
    ["in UTF-16, little endian, with a mark", Buffer.concat([Buffer.from([0xff, 0xfe]), utf16(false)])],
    ["in UTF-16, little endian, without a mark", utf16(false)],
    ["in UTF-16, big endian, with a mark", Buffer.concat([Buffer.from([0xfe, 0xff]), utf16(true)])],
    ["in UTF-16, big endian, without a mark", utf16(true)],
    ["compressed with gzip", gzipSync(text)],
    ["in UTF-16 and compressed with gzip", gzipSync(utf16(false))],
    ["with CRLF", Buffer.from(text.replaceAll("\n", "\r\n"))],
    ["with CR", Buffer.from(text.replaceAll("\n", "\r"))],
    ["without an end of line at the end", Buffer.from(text.trimEnd())],
    ["with empty lines", Buffer.from(text.replaceAll("\n", "\n\n"))],
    ["with tabs", Buffer.from(text.replaceAll(",", "\t"))],
    ["with semicolons and decimal commas", Buffer.from(text.replaceAll(",", ";").replaceAll(".", ","))],
    ["with semicolons and decimal points", Buffer.from(text.replaceAll(",", ";"))],
    ["with the separator in its first line, as Excel writes it", Buffer.from(`sep=;\n${text.replaceAll(",", ";")}`)],
    ["in which everything is quoted", Buffer.from(text.replaceAll(/[^,\n]+/g, '"$&"'))],
    ["in which a quote and an end of line are quoted", Buffer.from(csv('date,"mo""de\nl",cost', ...ROWS.slice(1)))],
  ])("%s", async (what, bytes) => {
    const columns = what.includes("an end of line are quoted")
      ? { date: "date", model: 'mo"de l', cost: "cost", tokens: "" }
      : undefined
    if (columns === undefined) {
      expect(brief(await readBytes(bytes, { provider: "acme" }))).toEqual(EXPECTED)
    } else {
      const { tokens: _tokens, ...named } = columns
      const bill = await readBytes(bytes, { provider: "acme", columns: named })
      expect(bill.lines.map(({ model, cost }) => [model, cost])).toEqual(
        EXPECTED.map(({ model, cost }) => [model, cost]),
      )
    }
  })

  test("another currency is converted by the rate, once per line", async () => {
    const bill = await readText("Tag;Modell;Kosten (€);Art\n01.11.2026;gpt-5;1.234,56;\n01.11.2026;gpt-5;0,4;\n", {
      provider: "acme",
      columns: { date: "Tag", model: "Modell", cost: "Kosten" },
      rate: "1.1",
    })
    expect(brief(bill)).toEqual([{ day: "2026-11-01", model: "gpt-5", bucket: "all", cost: "1358.456" }])
  })

  test("columns of FOCUS are recognized, and words for kinds of tokens", async () => {
    const bill = await readText(
      csv(
        "ChargePeriodStart,BilledCost,BillingCurrency,ConsumedQuantity,SkuMeter,ChargeDescription",
        "2026-11-01T00:00:00Z,0.5,USD,100,gpt-5,cached input",
        "2026-11-01T00:00:00Z,-0.5,USD,,,Credit note",
      ),
      { provider: "acme" },
    )
    expect(bill.lines.map(({ model, bucket, quantity, cost }) => [model, bucket, quantity, cost])).toEqual([
      ["gpt-5", "cache_read", "100", "0.5"],
      [undefined, "credit", undefined, "-0.5"],
    ])
  })
})
