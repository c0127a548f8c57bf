import type { Bodies, BodyRow, ReadBody } from "../../bodies/read.ts"
import { CommandError } from "../../core/errors.ts"
import type { Context } from "../context.ts"
import type { RequestRow } from "./row.ts"

export type { Bodies, ReadBody }

/** Bodies in the form of JSON. A body that is not text is a `data:` URL. */
interface BodyObject {
  readonly request_body?: string | null | undefined
  readonly response_body?: string | null | undefined
  readonly bodies_from: Bodies["source"]
  /** The bodies of which only the beginning is stored. */
  readonly bodies_cut: Sides
  readonly bodies_kinds: Readonly<Partial<Record<Sides[number], ReadBody["kind"]>>>
}

/** The bodies of a request that are wanted. */
export type Sides = readonly ("request" | "response")[]

const UNREADABLE: Bodies = { source: "unreadable", request: { kind: "none" }, response: { kind: "none" } }

/** Reads the bodies of a request from wherever they are stored. If that fails, it logs why and returns none. */
export async function readBodies({ bodies, log }: Context<"bodies" | "log">, row: RequestRow): Promise<Bodies> {
  try {
    return await bodies.read(row as unknown as BodyRow)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    log(`note: ${error.message}`)
    return UNREADABLE
  }
}

/**
 * Returns the JSON form of bodies: under the names of the database's columns, whatever the store is. Text stays as it
 * was; other bytes become a `data:` URL.
 */
export function toBodyObject(bodies: Bodies, sides: Sides): BodyObject {
  const texts = sides.map((side) => [`${side}_body`, toText(bodies[side])])
  const cut = sides.filter((side) => {
    const body = bodies[side]
    return body.kind !== "none" && body.isTruncated
  })
  const kinds = Object.fromEntries(sides.map((side) => [side, bodies[side].kind]))
  return { ...Object.fromEntries(texts), bodies_from: bodies.source, bodies_cut: cut, bodies_kinds: kinds }
}

/** Returns the bodies that a JSON form stands for. */
export function fromBodyObject(object: BodyObject): Bodies {
  return { source: object.bodies_from, request: readBody(object, "request"), response: readBody(object, "response") }
}

function readBody(object: BodyObject, side: Sides[number]): ReadBody {
  const kind = object.bodies_kinds[side] ?? "none"
  const text = object[`${side}_body`]
  if (kind === "none" || text === null || text === undefined) return { kind: "none" }
  const isTruncated = object.bodies_cut.includes(side)
  return kind === "binary" ? { kind, base64: text.slice(DATA_URL.length), isTruncated } : { kind, text, isTruncated }
}

const DATA_URL = "data:application/octet-stream;base64,"

function toText(body: ReadBody): string | null {
  if (body.kind === "none") return null
  return body.kind === "binary" ? `${DATA_URL}${body.base64}` : body.text
}
