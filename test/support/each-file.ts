import { afterAll } from "vitest"
import { created } from "./_created-databases.ts"

/** Runs after the hooks of each test file, so that the databases of a run do not add up to gigabytes. */
afterAll(async () => {
  await created.drop?.()
  created.drop = undefined
})
