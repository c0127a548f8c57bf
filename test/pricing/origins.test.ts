import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { OWN_MODELS } from "../../src/pricing/own-models.ts"
import { ULTRAFAST } from "../../src/pricing/priority.ts"

test("every model with rates of our own is listed with the origin of its rates", () => {
  const origins = readFileSync(new URL("../../src/pricing/ORIGINS.md", import.meta.url), "utf8")
  const ours = [...Object.values(OWN_MODELS).flatMap((models) => models.map(({ id }) => id)), ...Object.keys(ULTRAFAST)]
  expect(ours.filter((id) => !origins.includes(`\`${id}\``))).toEqual([])
})
