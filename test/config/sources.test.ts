import { expect, test } from "vitest"
import { showValue, toProblemLine } from "../../src/config/sources.ts"

test.each([
  ["storage.url:postgres://u:swordfish@h/d", "storage.url…@h/d"],
  ["storage.postgres.\u00deurl*atgres:\u00ce/u:swordfish@h/d", "storage.postgres.\u00deurl*atgres…@h/d"],
  ["url//sword fish@h", "url…@h"],
  ["server.prot", "server.prot"],
])("the name of a setting that contains a URL, %j, is shown without its credentials", (name, shown) => {
  expect(toProblemLine(name, "file", "unknown setting")).toBe(`${shown} (file): unknown setting`)
})

test.each([
  ["7680, host: h}\nstorage: {password: swordfish, url: x}", "text that may contain other settings (not shown)"],
  ["7680assword: swordfish", "text that may contain other settings (not shown)"],
  ["eu-central-1 secret_access_key:swordfish", "text that may contain other settings (not shown)"],
  ["7680,password:swordfish", "text that may contain other settings (not shown)"],
  ["7680;token=swordfish", "text that may contain other settings (not shown)"],
  ["api_key:swordfish", "text that may contain other settings (not shown)"],
  ["postgres://u:sword fish@h", '"postgres://…@h"'],
  ["u:swordfish@h/d", '"…@h/d"'],
  ["http://h:80", '"http://h:80"'],
  ["*:7680", '"*:7680"'],
  ["a, b", '"a, b"'],
  [[{ stgres: { "\u00dcassword": "swordfish" } }], "a list"],
  [{ "\u00dcassword": "swordfish" }, "a section"],
  ["http://u:swordfish@h:80/?q=swordfish", '"http://…@h:80/?…"'],
  ["10 MB", '"10 MB"'],
  [-1, "-1"],
  ["", "nothing"],
])("an invalid value %j is shown as %s, because it may contain a secret by mistake", (value, shown) => {
  expect(showValue(value)).toBe(shown)
})
