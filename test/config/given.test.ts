import { expect, test } from "vitest"
import { showValue, toProblem } from "../../src/config/given.ts"

test.each([
  ["storage.url:postgres://u:swordfish@h/d", "storage.url…@h/d"],
  ["storage.postgres.\u00deurl*atgres:\u00ce/u:swordfish@h/d", "storage.postgres.\u00deurl*atgres…@h/d"],
  ["url//sword fish@h", "url…@h"],
  ["server.prot", "server.prot"],
])("the name of a setting that swallowed an address, %j, is told without its credentials", (name, told) => {
  expect(toProblem(name, "file", "no such setting")).toBe(`${told} (file): no such setting`)
})

test("a value that swallowed the settings behind it is told up to the first secret", () => {
  expect(showValue("7680, host: h}\nstorage: {password: swordfish, url: x}")).toBe(
    '"7680, host: h}\\nstorage: {password…',
  )
  expect(showValue("http://h:80")).toBe('"http://h:80"')
})
