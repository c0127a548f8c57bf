import { describe, expect, it } from "vitest"
import { createUsageFilter } from "../../src/providers/openai/hide-usage.ts"
import { openai } from "../../src/providers/openai/index.ts"

function prepare(body: string, { path = "/v1/chat/completions", inject = true } = {}) {
  const request = {
    provider: "openai",
    method: "POST",
    path,
    query: "",
    headers: { "content-type": "application/json" },
    body: Buffer.from(body),
    host: "api.openai.com",
  }
  return openai.prepare(request, { injectStreamUsage: inject })
}
const sent = (body: string, options = {}) => {
  const { edit } = prepare(body, options)
  const bytes = Buffer.from(body)
  return edit && Buffer.concat([bytes.subarray(0, edit.start), edit.by, bytes.subarray(edit.end)]).toString()
}

describe("the edit that asks for usage", () => {
  it("inserts text and keeps every other byte of the body", () => {
    expect(sent('{ "model":"m" , "stream" : true,"n":1e2, "x":"\\u00e9é" }\n')).toBe(
      '{ "model":"m" , "stream" : true,"stream_options":{"include_usage":true},"n":1e2, "x":"\\u00e9é" }\n',
    )
  })
  it("keeps the client's other stream options", () => {
    expect(sent('{"stream_options":{"include_obfuscation":false},"stream":true}')).toBe(
      '{"stream_options":{"include_usage":true,"include_obfuscation":false},"stream":true}',
    )
    expect(sent('{"stream_options": { },"stream":true}')).toBe(
      '{"stream_options": {"include_usage":true },"stream":true}',
    )
    expect(sent('{"stream_options":null,"stream":true}')).toBe(
      '{"stream_options":{"include_usage":true},"stream":true}',
    )
    expect(sent('{"stream_options":{"include_usage":null},"stream":true}')).toBe(
      '{"stream_options":{"include_usage":true},"stream":true}',
    )
  })
  it.each([
    ["the client asks itself", '{"stream":true,"stream_options":{"include_usage":true}}'],
    ["the client declines", '{"stream":true,"stream_options":{"include_usage":false}}'],
    ["there is no stream", '{"model":"m"}'],
    ["the stream is declined", '{"stream":false}'],
    [
      "the stream is asked for in the prompt only",
      '{"messages":[{"content":"\\"stream\\":true"}],"metadata":{"stream":true}}',
    ],
    ["the options are no object", '{"stream":true,"stream_options":[]}'],
    ["the body is cut off", '{"stream":true,'],
    ["the body is no JSON", "stream=true"],
    ["the body is empty", ""],
  ])("leaves the body alone when %s", (_, body) => {
    expect(prepare(body)).toMatchObject({ edit: undefined, createFilter: undefined })
  })
  it("is made for chat and completions only, and only when it is enabled", () => {
    const body = '{"stream":true}'
    expect(sent(body, { path: "/v1/completions" })).toBeDefined()
    expect(sent(body, { path: "/openai/deployments/d/chat/completions" })).toBeDefined()
    expect(sent(body, { path: "/v1/responses" })).toBeUndefined()
    expect(sent(body, { inject: false })).toBeUndefined()
  })
})

/** Returns a stream as a client gets it that asked for usage, and as one gets it that did not, in OpenAI's framing. */
function streams(nl: string, space: string) {
  const event = (json: string) => `data:${space}${json}${nl}${nl}`
  const chunk = (usage: string) => [
    event(
      `{"id":"c","choices":[{"index":0,"delta":{"content":"say \\"usage\\":null, 世界"}}]${usage},"obfuscation":"a}b"}`,
    ),
    `: keep-alive${nl}${nl}`,
    event(`{"id":"c","choices":[],"moderation":{"results":{"usage":null}}${usage}}`),
    `event: x${nl}${event(`{"choices":[{"delta":{},"finish_reason":"stop"}],"model":"m"${usage}}`)}`,
  ]
  const last = event(
    '{"id":"c","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6},"obfuscation":"x"}',
  )
  const done = event("[DONE]")
  return {
    asked: [...chunk(',"usage":null'), last, done].join(""),
    spaced: [...chunk(', "usage" : null'), event('{ "choices" : [ ] , "usage" : { "total_tokens" : 1 } }'), done].join(
      "",
    ),
    silent: [...chunk(""), done].join(""),
  }
}

function filtered(text: string, cuts: readonly number[] = []): string {
  const bytes = Buffer.from(text)
  const filter = createUsageFilter()
  const out: Uint8Array[] = []
  let from = 0
  for (const to of [...cuts, bytes.length]) {
    out.push(Buffer.from(filter.push(Buffer.from(bytes.subarray(from, to)))))
    from = to
  }
  out.push(filter.end())
  return Buffer.concat(out).toString()
}

describe("the filter that removes what the edit caused", () => {
  for (const [nl, name] of [
    ["\n", "LF"],
    ["\r\n", "CRLF"],
  ] as const) {
    for (const space of [" ", ""]) {
      it(`returns the bytes of a stream that was not asked (${name}, "data:${space}"), cut anywhere`, () => {
        const { asked, spaced, silent } = streams(nl, space)
        expect(filtered(asked)).toBe(silent)
        expect(filtered(spaced)).toBe(silent)
        const { length } = Buffer.from(asked)
        for (let cut = 1; cut < length; cut++) expect(filtered(asked, [cut])).toBe(silent)
        expect(
          filtered(
            asked,
            Array.from({ length: length - 1 }, (_, at) => at + 1),
          ),
        ).toBe(silent)
      })
    }
  }
  it.each([
    ["a stream without usage", streams("\n", " ").silent],
    ["usage beside choices", 'data: {"choices":[{"delta":{}}],"usage":{"total_tokens":1}}\n\n'],
    ["usage without choices", 'data: {"usage":{"total_tokens":1}}\n\n'],
    ["a null that is deeper", 'data: {"x_groq":{"usage":null},"choices":[]}\n\n'],
    ["an event of several data lines", 'data: {"choices":[],\ndata: "usage":{"total_tokens":1}}\n\n'],
    ["broken JSON", 'data: {"choices":[],"usage":null\n\n'],
    ["an error instead of a stream", '{"error":{"message":"no","usage":null}}'],
    ["an event that never ends", 'data: {"choices":[],"usa'],
    ["nothing", ""],
  ])("leaves alone: %s", (_, text) => {
    const { length } = Buffer.from(text)
    expect(filtered(text)).toBe(text)
    for (let cut = 1; cut < length; cut++) expect(filtered(text, [cut])).toBe(text)
  })
  it("removes a null that comes first or alone", () => {
    expect(filtered('data: {"usage":null,"id":"c"}\n\n')).toBe('data: {"id":"c"}\n\n')
    expect(filtered('data: {"usage": null}\n\n')).toBe("data: {}\n\n")
  })
  it("passes each event as soon as it is whole, and holds back no more than the one that is not", () => {
    const filter = createUsageFilter()
    const one = 'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
    expect(filter.push(Buffer.from(`${one}data: {"cho`)).toString()).toBe(one)
    expect(filter.push(Buffer.from('ices":[]}\n\n')).toString()).toBe('data: {"choices":[]}\n\n')
  })
  it.each(["data:\n\n\n\n", ": c\n\n", "data:{}\r\n\r\n"])("passes many tiny events on in one slice: %j", (text) => {
    const piece = Buffer.from(text.repeat(8000))
    const passed = createUsageFilter().push(piece)
    expect(passed.buffer).toBe(piece.buffer)
    expect(passed.length).toBe(piece.length)
  })
  it("hides usage between tiny events, cut anywhere", () => {
    const text = "data:\n\n\r\n: c\r\n\r\n"
    const asked = `${text}data: {"choices":[],"usage":{"total_tokens":1}}\n\n${text}data: {"a":1,"usage":null}\r\n\r\n${text}`
    const silent = `${text}${text}data: {"a":1}\r\n\r\n${text}`
    for (let cut = 1; cut < asked.length; cut++) expect(filtered(asked, [cut])).toBe(silent)
    expect(
      filtered(
        asked,
        Array.from(asked.slice(1), (_, at) => at + 1),
      ),
    ).toBe(silent)
  })
  it("does not hold back an event without end", () => {
    const filter = createUsageFilter()
    const piece = Buffer.alloc(64 * 1024, "a")
    filter.push(Buffer.from("data: "))
    let out = 0
    for (let i = 0; i < 64; i++) out += filter.push(piece).length
    expect(out).toBeGreaterThan(63 * piece.length - 1024 * 1024)
    const end = filter.push(Buffer.from('\n\ndata: {"choices":[],"usage":{"total_tokens":1}}\n\ndata: [DONE]\n\n'))
    expect(end.toString()).toBe("\n\ndata: [DONE]\n\n")
  })
})
