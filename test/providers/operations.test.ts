import { readFileSync } from "node:fs"
import { beforeAll, describe, expect, it } from "vitest"
import { createRouter } from "../../src/gateway/route.ts"
import { BUILT_IN_PROVIDERS, DIALECTS } from "../../src/providers/catalog.ts"
import { FORMATS, listOperations, type OperationEntry, toOperationsPage } from "../support/sdk/operations-table.ts"

let entries: readonly OperationEntry[]
beforeAll(async () => {
  entries = await listOperations()
})

describe("the methods of the official SDKs", () => {
  it("are all known, or the reason why not is listed", () => {
    expect(entries.length).toBeGreaterThan(600)
    const unlisted = entries.filter(({ operation, reason }) => operation === "unknown" && reason === undefined)
    expect(unlisted.map(({ sdk, name, verb, path }) => `${sdk} ${name}: ${verb} ${path}`)).toEqual([])
  })

  it("reach the provider of their SDK without a header of the gateway", () => {
    const wrong = entries.filter(({ sdk, name, provider }) => provider !== FORMATS[sdk] && !name.endsWith("(Vertex)"))
    expect(wrong.map(({ sdk, name, path, provider }) => `${sdk} ${name} ${path}: ${provider}`)).toEqual([])
  })

  it("of OpenAI's projects do not take Google's paths, which begin with the same word", () => {
    const router = createRouter(DIALECTS, BUILT_IN_PROVIDERS)
    const path = "/v1/projects/p/locations/l/publishers/mistralai/models/m:rawPredict"
    expect(() => router.find({ path, query: "", headers: {} })).toThrow(
      /^This request is for Vertex AI, which is not configured/,
    )
    expect(router.find({ path: "/v1/projects/p/roles", query: "", headers: {} }).provider.name).toBe("openai")
  })

  it("are the ones of docs/operations.md: run node scripts/operations-table.mjs", () => {
    const page = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8")
    expect(page).toBe(toOperationsPage(entries))
  })
})

describe("a free operation", () => {
  it("is free at its exact path alone: not with a trailing slash, a sub-path, a dot segment or another prefix", () => {
    const wrong = entries
      .filter(({ isFree }) => isFree)
      .flatMap(({ sdk, verb, path: template }) => {
        const path = template.replace(/\{\w+\}/g, "id-1")
        const changed = [
          `${path}/`,
          `${path}/more/more`,
          `/other${path}`,
          `/v1/messages/..${path}`,
          `${path}/..`,
          `${path}%2f..`,
        ]
        return changed.filter((each) => DIALECTS[FORMATS[sdk]].isFree({ method: verb, path: each }))
      })
    expect(wrong).toEqual([])
  })

  it("is not free with another method that may work", () => {
    for (const path of ["/v1/responses/resp_1", "/v1/models/gpt", "/v1/files/f"])
      expect(DIALECTS.openai.isFree({ method: "PUT", path })).toBe(false)
  })
})
