import { describe, expect, test } from "vitest"
import {
  findZone,
  isPeriod,
  listDays,
  parseMoment,
  toOffsetIso,
  toPreviousPeriod,
  toYearAgo,
} from "../../src/reports/index.ts"

const now = Date.parse("2026-11-20T15:30:00Z")
const tz = "Europe/Lisbon"
const at = (text: string, edge: "since" | "until" = "since", zone = tz) => {
  const moment = parseMoment(text, edge, { now, tz: zone })
  return moment === undefined ? undefined : toOffsetIso(moment, zone)
}

describe("--since", () => {
  test.each([
    ["30d", "2026-10-22T00:00:00+01:00"], // summer time
    ["7d", "2026-11-14T00:00:00+00:00"],
    ["1d", "2026-11-20T00:00:00+00:00"],
    ["24h", "2026-11-19T15:30:00+00:00"],
    ["90m", "2026-11-20T14:00:00+00:00"],
    ["2w", "2026-11-07T00:00:00+00:00"],
    ["today", "2026-11-20T00:00:00+00:00"],
    ["yesterday", "2026-11-19T00:00:00+00:00"],
    ["week", "2026-11-16T00:00:00+00:00"],
    ["month", "2026-11-01T00:00:00+00:00"],
    ["year", "2026-01-01T00:00:00+00:00"],
    ["this-week", "2026-11-16T00:00:00+00:00"],
    ["last-week", "2026-11-09T00:00:00+00:00"],
    ["last-month", "2026-10-01T00:00:00+01:00"],
    ["this-quarter", "2026-10-01T00:00:00+01:00"],
    ["last-quarter", "2026-07-01T00:00:00+01:00"],
    ["last-year", "2025-01-01T00:00:00+00:00"],
    ["2026-Q2", "2026-04-01T00:00:00+01:00"],
    ["2026-Q5", undefined],
    ["2026-07-01", "2026-07-01T00:00:00+01:00"],
    ["2026-07", "2026-07-01T00:00:00+01:00"],
    ["2026-07-01T14:30", "2026-07-01T14:30:00+01:00"],
    ["2026-07-01T14:30:00Z", "2026-07-01T15:30:00+01:00"],
    ["2026-02-30", undefined],
    ["2026-13-01", undefined],
    ["2026-07-01T25:00", undefined],
    ["tomorrow?", undefined],
    ["7 d", undefined],
    ["-7d", undefined],
  ])("%s", (text, expected) => expect(at(text)).toBe(expected))
})

describe("--until includes the day or month that it names", () => {
  test.each([
    ["2026-11-30", "2026-12-01T00:00:00+00:00"],
    ["2026-12", "2027-01-01T00:00:00+00:00"],
    ["today", "2026-11-21T00:00:00+00:00"],
    ["yesterday", "2026-11-20T00:00:00+00:00"],
    ["month", "2026-12-01T00:00:00+00:00"],
    ["last-month", "2026-11-01T00:00:00+00:00"],
    ["last-quarter", "2026-10-01T00:00:00+01:00"],
    ["2026-Q4", "2027-01-01T00:00:00+00:00"],
    ["2026", "2027-01-01T00:00:00+00:00"],
    ["2026-11-30T10:00", "2026-11-30T10:00:00+00:00"],
    ["7d", "2026-11-14T00:00:00+00:00"],
  ])("%s", (text, expected) => expect(at(text, "until")).toBe(expected))
})

test("'today' is the date in the time zone", () => {
  expect(at("today", "since", "Pacific/Auckland")).toBe("2026-11-21T00:00:00+13:00")
  expect(at("today", "since", "America/St_Johns")).toBe("2026-11-20T00:00:00-03:30")
})

test("a day without a midnight begins at its first moment", () => {
  expect(at("2026-03-29", "since", "Asia/Beirut")).toBe("2026-03-29T01:00:00+03:00")
})

test("a time zone is a name, because PostgreSQL reads offsets differently", () => {
  expect(findZone("europe/lisbon")).toBe("Europe/Lisbon")
  expect(["+02:00", "-3", "UTC+3", "Mars/Base", ""].map(findZone)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ])
})

const days = (since: string, until: string) => ({
  since: parseMoment(since, "since", { now, tz })!,
  until: parseMoment(until, "until", { now, tz })!,
  tz,
})

test("[U8] the last 30 days have 30 dates, and the period before them as many, up to the same time", () => {
  const since = parseMoment("30d", "since", { now, tz })!
  expect(listDays(since, now, tz)).toHaveLength(30)
  const before = toPreviousPeriod({ since, until: now, tz })
  expect([toOffsetIso(before.since, tz), toOffsetIso(before.until!, tz)]).toEqual([
    "2026-09-22T00:00:00+01:00",
    "2026-10-21T15:30:00+01:00",
  ])
  expect(listDays(before.since, before.until!, tz)).toHaveLength(30)
})

test("the period before whole months is whole months; before everything else, the same length of time", () => {
  expect(toPreviousPeriod(days("2026-10", "2026-10"))).toEqual(days("2026-09", "2026-09"))
  expect(toPreviousPeriod(days("2026-Q1", "2026-Q1"))).toEqual(days("2025-Q4", "2025-Q4"))
  expect(toPreviousPeriod(days("2026-11-02", "2026-11-08"))).toEqual(days("2026-10-26", "2026-11-01"))
})

test("a year ago is the same dates, and 28 February for the 29th", () => {
  expect(toYearAgo(days("2026-10", "2026-10"))).toEqual(days("2025-10", "2025-10"))
  expect(toYearAgo(days("2028-02-29", "2028-02-29")).since).toBe(days("2027-02-28", "2027-02-28").since)
})

test("only what has two edges is a period", () => {
  expect(["last-month", "2026-11", "2026-q4", "2026", "2026-11-20"].every(isPeriod)).toBe(true)
  expect(["7d", "now", "2026-11-20T10:00", "2026-W47", "constructor"].some(isPeriod)).toBe(false)
})
