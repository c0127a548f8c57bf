import { describe, expect, it } from "vitest"
import { createJsonPruner, type Shape } from "../../src/kit/json/prune.ts"

const SHAPE: Shape = { model: true, usage: true, output: [{ type: true }], deep: { "*": { n: true } } }

function prune(text: string | Buffer, { size = Number.MAX_SAFE_INTEGER, max = 4096, shape = SHAPE } = {}) {
  const documents: [unknown, boolean][] = []
  const pruner = createJsonPruner(shape, (document, complete) => documents.push([document, complete]), max)
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) pruner.push(Buffer.from(bytes.subarray(at, at + size)))
  pruner.end()
  return documents
}

describe("pruning JSON", () => {
  it("keeps the parts that the shape names, wherever the bytes are cut", () => {
    const text =
      '\uFEFF {"x":[1,{"model":"no"}],"model" : "a\\"b\\\\","usage":{"n":[1.5e3,-2],"s":"}{\\u00e9é🌍","z":null},"y":"\\\\","output":[{"type":"a","big":{}},7,{"type":"b"}],"deep":{"p":{"n":1,"m":2},"q":{"n":true}}}'
    const right = [
      [
        {
          model: 'a"b\\',
          usage: { n: [1500, -2], s: "}{éé🌍", z: null },
          output: [{ type: "a" }, { type: "b" }],
          deep: { p: { n: 1 }, q: { n: true } },
        },
        true,
      ],
    ]
    for (let size = 1; size < 40; size++) expect(prune(text, { size })).toEqual(right)
  })
  it("passes on each document of an array, of lines, and of documents without a separator", () => {
    const right = [
      [{ model: "a" }, true],
      [{ usage: 1 }, true],
    ]
    for (const text of [
      '[{"model":"a"}\n,\n{"usage":1}]',
      '{"model":"a"}\n{"usage":1}\n',
      '{"model":"a"}{"usage":1}',
      '[ {"model":"a"},[],3,{"usage":1} ]',
    ]) {
      for (const size of [1, 2, 3, 100]) expect(prune(text, { size }), text).toEqual(right)
    }
  })
  it("passes on the complete parts of a document that is cut off", () => {
    expect(prune('{"model":"a","usage":{"n":1')).toEqual([[{ model: "a" }, false]])
    expect(prune('{"output":[{"type":"a"},{"type":"b')).toEqual([[{ output: [{ type: "a" }, {}] }, false]])
    expect(prune('[{"model":"a"},{"usa')).toEqual([
      [{ model: "a" }, true],
      [{}, false],
    ])
  })
  it("passes on the elements of a list one by one where the shape says so, with what stands before the list", () => {
    const shape: Shape = { name: true, done: true, result: { list: [{ n: true }, "singly"] } }
    const text = '{"name":"a","result":{"list":[{"n":1,"x":2},{"n":3}],"y":0},"done":true}'
    const right = [
      [{ name: "a", result: { list: [{ n: 1 }] } }, true],
      [{ name: "a", result: { list: [{ n: 3 }] } }, true],
      [{ name: "a", result: { list: [] }, done: true }, true],
    ]
    for (const size of [1, 2, 3, 7, 1000]) expect(prune(text, { size, shape })).toEqual(right)
    const long = `{"name":"a","result":{"list":[${'{"n":1},'.repeat(20_000)}{"n":2}]},"done":true}`
    const documents = prune(long, { shape, max: 1024 })
    expect(documents).toHaveLength(20_002)
    expect(documents.at(-2)).toEqual([{ name: "a", result: { list: [{ n: 2 }] } }, true])
    expect(documents.at(-1)).toEqual([{ name: "a", result: { list: [] }, done: true }, true])
  })
  it("leaves out a value that is too long, and continues after it", () => {
    expect(prune(`{"usage":"${"x".repeat(5000)}","model":"a"}`, { size: 100 })).toEqual([[{ model: "a" }, true]])
    const many = `{"output":[${'{"type":"a"},'.repeat(100_000)}{}],"model":"a"}`
    const [[document]] = prune(many) as [[{ output: unknown[]; model?: string }, boolean]]
    expect(document.output.length).toBeLessThan(1000)
    expect(document.model).toBe("a")
  })
  it("accepts any depth, names such as __proto__, and bytes that are not JSON", () => {
    expect(prune(`{"x":${"[".repeat(2_000_000)}${"]".repeat(2_000_000)},"model":"a"}`)).toEqual([
      [{ model: "a" }, true],
    ])
    expect(prune('{"__proto__":{"n":1},"deep":{"__proto__":{"n":1},"p":{"n":2}}}')).toEqual([
      [{ deep: { p: { n: 2 } } }, true],
    ])
    expect(prune('}]:,\u0000 nonsense 12 "text" {]}')).toEqual([[{}, true]])
    expect(prune("")).toEqual([])
  })
  it("terminates if a bracket without a partner is inserted at any place", () => {
    expect(prune('{"output":[{"type":"a"}}],"model":"a"}')).toEqual([[{ output: [{ type: "a" }], model: "a" }, true]])
    for (const bracket of ["}", "]", "{", "[", ":", ",", '"']) {
      const text = '{"output":[{"type":"a"},{"type":"b"}],"deep":{"x":{"n":1}},"model":"a"}'
      for (let at = 0; at <= text.length; at++) prune(text.slice(0, at) + bracket + text.slice(at))
    }
  })
})
