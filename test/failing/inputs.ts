import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

export interface InputRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** An object is sent as JSON, a text as it is. */
  readonly body: unknown
}

export interface InputAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** One file of inputs. What is not in this form is described in words, and `expectations.ts` says what it means. */
export interface InputFile {
  readonly name: string
  readonly requests: readonly InputRequest[]
  readonly answers: readonly InputAnswer[]
}

interface Written {
  readonly expected_row?: unknown
  readonly request?: unknown
  readonly response?: unknown
}

/** Returns true if the directory holds files of inputs, not recorded answers. */
export function holdsInputs(directory: string): boolean {
  const [first] = jsonFilesIn(directory)
  return first !== undefined && readWritten(directory, first).expected_row !== undefined
}

export function readInputs(directory: string): InputFile[] {
  return jsonFilesIn(directory).map((name) => {
    const { request, response } = readWritten(directory, name)
    return { name, requests: listOf(request).filter(isRequest), answers: toAnswers(listOf(response)) }
  })
}

function jsonFilesIn(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith(".json"))
    .sort()
}

function readWritten(directory: string, name: string): Written {
  return JSON.parse(readFileSync(join(directory, name), "utf8")) as Written
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value]
}

function isRequest(value: unknown): value is InputRequest {
  return typeof value === "object" && value !== null && "method" in value
}

/** `the same` repeats the answer before it. */
function toAnswers(values: readonly unknown[]): InputAnswer[] {
  const answers: InputAnswer[] = []
  for (const value of values) {
    const answer = typeof value === "object" ? (value as InputAnswer | null) : answers.at(-1)
    if (answer) answers.push(answer)
  }
  return answers
}
