import { gzipSync } from "node:zlib"
import { describe, expect, test } from "vitest"
import type { BillFileOptions } from "../../../src/reconcile/import/index.ts"
import { csv, readBytes, readText } from "./_read.ts"

const HEADER = "date,model,cost,tokens"
const GENERIC: BillFileOptions = { provider: "acme" }

describe("a file that cannot be read is rejected by a sentence that says what to do:", () => {
  const cases: readonly (readonly [what: string, text: string, message: string, options?: BillFileOptions])[] = [
    ["an empty file", "", "The file is empty."],
    [
      "unknown columns",
      "when,what\n1,2\n",
      "The file is not an export that is known, and it has no columns that are named like a date and a cost. Its columns are: when, what. Name the columns with --date and --cost.",
    ],
    [
      "a column that was named and is not there",
      csv(HEADER, "2026-11-01,m,1,1"),
      "The file is not a file with a date and a cost: it has no column euros. Its columns are: date, model, cost, tokens. Name the columns with --date and --cost.",
      { provider: "acme", columns: { cost: "Euros" } },
    ],
    [
      "another export than the one that was said",
      csv(HEADER, "2026-11-01,m,1,1"),
      "The file is not an Azure cost export: it has no column metername. Its columns are: date, model, cost, tokens. Name the columns with --date and --cost.",
      { provider: "azure", format: "azure" },
    ],
    [
      "a wrong amount",
      csv(HEADER, "2026-11-01,m,1,1", "2026-11-01,m,1.2.3,1"),
      'Line 3, column cost: "1.2.3" is not a number with a decimal point.',
    ],
    [
      "a decimal comma among decimal points",
      csv(HEADER, "2026-11-01,m,1.5,1", '2026-11-01,m,"1,5",1'),
      'Line 3, column cost: "1,5" is not a number with a decimal point.',
    ],
    [
      "a date that does not exist",
      csv(HEADER, "2026-02-30,m,1,1"),
      'Line 2, column date: "2026-02-30" is not a date in UTC, such as 2026-11-01.',
    ],
    [
      "a time in a zone that has a name",
      csv(HEADER, "2026-11-01 08:00 PST,m,1,1"),
      'Line 2, column date: "2026-11-01 08:00 PST" is not a date in UTC, such as 2026-11-01.',
    ],
    [
      "a row without a date",
      csv(HEADER, ",m,1,1"),
      "Line 2, column date: the empty cell is not a date in UTC, such as 2026-11-01.",
    ],
    [
      "months in place of days",
      csv(HEADER, "November 2026,m,1,1"),
      'Line 2, column date: "November 2026" is a month. A bill is compared day by day: export it with one row per day.',
    ],
    [
      "dates that can be read two ways",
      csv(HEADER, "11/03/2026,m,1,1"),
      'Line 2, column date: "11/03/2026" does not say whether the month or the day comes first. Write dates as 2026-11-01.',
    ],
    [
      "a quote that is not closed",
      csv(HEADER, '2026-11-01,"m,1,1', "2026-11-01,m,1,1"),
      "Line 2: a cell begins with a quote that is not closed. Export the file again.",
    ],
    [
      "text behind a closing quote",
      csv(HEADER, '2026-11-01,"m"x,1,1'),
      "Line 2: text follows the closing quote of a cell. A quote inside a cell must be doubled. Export the file again.",
    ],
    [
      "no amounts",
      csv(HEADER, "2026-11-01,m,,"),
      "The file is a file with a date and a cost, but it has no rows with an amount.",
    ],
    [
      "another currency",
      csv(`${HEADER},currency`, "2026-11-01,m,1,1,EUR"),
      "The amounts of the file are in EUR. Bills are compared in US dollars: give the US dollars of one EUR as the rate, such as 1.08, or export the file in US dollars.",
    ],
    [
      "two currencies",
      csv(`${HEADER},currency`, "2026-11-01,m,1,1,EUR", "2026-11-01,m,1,1,usd"),
      "The file has amounts in EUR and in USD. Import one currency at a time.",
    ],
    [
      "a rate for dollars",
      csv("date,cost ($)", "2026-11-01,1"),
      "The amounts of the file are in US dollars. Leave the rate out.",
      { provider: "acme", rate: "1.1" },
    ],
    [
      "a rate that is no positive number",
      csv("date,cost (EUR)", "2026-11-01,1"),
      'The rate must be a positive decimal, such as 1.08, but it is "0".',
      { provider: "acme", rate: "0" },
    ],
    [
      "columns that are named for a known export",
      csv(HEADER, "2026-11-01,m,1,1"),
      "The columns of the format azure are known. Leave out the format, or the names of the columns.",
      { provider: "azure", format: "azure", columns: { cost: "cost" } },
    ],
    [
      "services of another kind only",
      csv(
        "Date,MeterCategory,MeterSubCategory,MeterName,CostInUsd",
        "2026-11-01,Storage,Files,x,1",
        "2026-11-01,Virtual Machines,D,x,1",
      ),
      "The file is an Azure cost export, but nothing in it is about the models of azure. Its services are: Storage, Virtual Machines.",
      { provider: "azure" },
    ],
  ]
  test.each(cases.map(([what, text, message, options = GENERIC]) => ({ what, text, message, options })))(
    "$what",
    async ({ text, message, options }) => {
      await expect(readText(text, options)).rejects.toThrow(message)
    },
  )

  test.each([
    ["a ZIP archive", Buffer.from("PK\x03\x04rest"), "Unpack it, or save the sheet as CSV."],
    ["a Parquet file", Buffer.from("PAR1rest"), "Export the report as CSV."],
    ["a PDF", Buffer.from("%PDF-1.7"), "Download the bill as CSV."],
    ["a gzip file that is not complete", gzipSync(csv(HEADER, "2026-11-01,m,1,1")).subarray(0, 30), "Export it again."],
  ])("%s", async (_what, bytes, message) => {
    await expect(readBytes(bytes, GENERIC)).rejects.toThrow(message)
  })
})
