import { afterAll, afterEach, beforeAll, expect, test } from "vitest"
import type { Deps } from "../../src/gateway/deps.ts"
import type { RecordedRequest } from "../../src/gateway/proxied-request.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"

let fakeProvider: FakeProvider
const started: Pipeline[] = []
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
})
afterEach(async () => {
  for (const gateway of started.splice(0)) await gateway.close()
})
afterAll(() => fakeProvider.close())

const bug = (): never => {
  throw new Error("a bug")
}

async function ask(deps: Partial<Deps>, ledger: Partial<Deps["ledger"]>, body: object = {}): Promise<string> {
  const gateway = await startPipeline({ upstream: fakeProvider.origin, deps, ledger })
  started.push(gateway)
  const response = await fetch(`${gateway.origin}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-majordomo-key": KEY },
    body: JSON.stringify({ model: "gpt-4o-mini", messages: [], ...body }),
  })
  return response.text()
}

test("a recorded request goes to the ledger first, then to each subscriber in order, with its row", async () => {
  const calls: string[] = []
  const published: RecordedRequest[] = []
  await ask(
    {
      subscribers: [
        (request) => {
          calls.push("metrics")
          published.push(request)
        },
        () => void calls.push("log line"),
      ],
    },
    {
      append: (record, onStored) => {
        calls.push(`ledger ${record.model}`)
        onStored?.()
      },
    },
  )
  expect(calls).toEqual(["ledger gpt-4o-mini", "metrics", "log line"])
  const [request] = published
  expect(request!.record).toMatchObject({ id: request!.call.id, status_code: 200, total_cost: request!.cost.totalCost })
  expect(request!.ending.outcome).toBe("complete")
})

test.each([false, true])(
  "a subscriber that fails is reported once per request and changes nothing else (stream: %s)",
  async (stream) => {
    const errors: string[] = []
    const published: string[] = []
    const deps: Partial<Deps> = {
      subscribers: [bug, ({ record }) => void published.push(record.model)],
      onError: (error, where) => void errors.push(`${where}: ${(error as Error).message}`),
    }
    expect(await ask(deps, {}, { stream })).toMatch(stream ? /\[DONE\]/ : /"choices"/)
    expect(errors).toEqual(["subscriber: a bug"])
    expect(published).toEqual(["gpt-4o-mini"])
  },
)

test("a ledger that fails costs neither the answer nor the subscribers' request", async () => {
  const errors: string[] = []
  const published: string[] = []
  const deps: Partial<Deps> = {
    subscribers: [({ record }) => void published.push(record.outcome)],
    onError: (_error, where) => void errors.push(where),
  }
  expect(await ask(deps, { append: bug })).toContain('"choices"')
  expect(errors).toEqual(["record"])
  expect(published).toEqual(["complete"])
})
