import { expect, test } from "vitest"
import { RepeatedEvents } from "../../src/kit/repeated-events.ts"

/** Learns events whose marked string is the value of "t", and returns the text that is found in another one. */
function find(learned: readonly string[], event: string, at = 0): string | undefined {
  const events = new RepeatedEvents()
  for (const text of learned) events.learn(Buffer.from(text), text.indexOf('"t":') + 4)
  const bytes = Buffer.from(event)
  const end = events.match(bytes, at)
  return end < 0 ? undefined : `${bytes.toString("utf8", events.textStart, events.textEnd)} to ${end}`
}

const A = 'data: {"n":1,"t":"one","f":null,"pad":"ab"}\n\n'
const B = 'data: {"n":12,"t":"three","f":null,"pad":"x"}\n\n'

test("an event that differs from two others in strings and numbers only is recognized, with its text", () => {
  const event = 'data: {"n":345,"t":" w\\"ord é","f":null,"pad":""}\n\n'
  expect(find([A, B], event)).toBe(`${' w\\"ord é'} to ${Buffer.byteLength(event)}`)
  expect(find([A, B], `${A}${event}`, A.length)).toBe(`${' w\\"ord é'} to ${A.length + Buffer.byteLength(event)}`)
})

test("the marked string may have the same content in both", () => {
  expect(find([A, A], A.replace("one", "two"))).toBe(`two to ${A.length}`)
})

test("one event alone is not enough", () => {
  expect(find([A], A)).toBeUndefined()
})

test.each([
  ["a value of another kind", A.replace("null", '"stop"')],
  ["another name", A.replace('"pad"', '"usage"')],
  ["a member more", A.replace("}", ',"usage":1}')],
  ["a missing end", A.slice(0, -1)],
  ["a text that does not end", A.slice(0, A.indexOf("ne"))],
  ["a number that may go on in the next piece", A.slice(0, A.indexOf("1") + 1)],
  ["a line break in a string", A.replace("one", "o\nne")],
  ["a number that is missing", A.replace("1", "")],
  ["a fraction", A.replace("1", "1.5")],
])("an event with %s is not recognized", (_, event) => {
  expect(find([A, B], event)).toBeUndefined()
})

test("events that differ in a name, or in more than their content, have nothing in common", () => {
  const other = A.replace('"pad"', '"pod"')
  expect(find([A, other], A)).toBeUndefined()
  expect(find([A, A.replace("null", "true")], A)).toBeUndefined()
  expect(find([A, `event: x\n${B}`], A)).toBeUndefined()
})

test("learning ends where no event is recognized", () => {
  const events = new RepeatedEvents()
  const lone = (at: number) => `data: {"${"m".repeat(at)}":1,"t":"one"}\n\n`
  for (let at = 1; at < 100; at++) events.learn(Buffer.from(lone(at)), lone(at).indexOf('"one"'))
  for (const text of [A, B]) events.learn(Buffer.from(text), text.indexOf('"t":') + 4)
  expect(events.match(Buffer.from(A), 0)).toBe(-1)
})
