import { expect, test } from "vitest"
import { showValue, toProblemLine } from "../../src/config/sources.ts"

test.each([
  ["storage.url:postgres://u:swordfish@h/d", "storage.url…@h/d"],
  ["storage.postgres.\u00deurl*atgres:\u00ce/u:swordfish@h/d", "storage.postgres.\u00deurl*atgres…@h/d"],
  ["url//sword fish@h", "url…@h"],
  ["server.prot", "server.prot"],
])("the name of a setting that swallowed an address, %j, is told without its credentials", (name, told) => {
  expect(toProblemLine(name, "file", "no such setting")).toBe(`${told} (file): no such setting`)
})

test.each([
  ["7680, host: h}\nstorage: {password: swordfish, url: x}", "a text that may hold other settings (not shown)"],
  ["7680assword: swordfish", "a text that may hold other settings (not shown)"],
  ["eu-central-1 secret_access_key:swordfish", "a text that may hold other settings (not shown)"],
  ["7680,password:swordfish", "a text that may hold other settings (not shown)"],
  ["7680;token=swordfish", "a text that may hold other settings (not shown)"],
  ["api_key:swordfish", "a text that may hold other settings (not shown)"],
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
])("a refused value %j is told as %s, for what a slip let it swallow may be a secret", (value, told) => {
  expect(showValue(value)).toBe(told)
})
