import type { Bodies, BodyRow, ReadBody } from "../../bodies/read.ts"
import { CommandError } from "../../core/errors.ts"
import type { Context } from "../context.ts"
import type { RequestRow } from "./row.ts"

export type { Bodies, ReadBody }

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
export function toBodyObject(bodies: Bodies, sides: Sides): Record<string, unknown> {
  const texts = sides.map((side) => [`${side}_body`, toText(bodies[side])])
  const truncated = sides.filter((side) => {
    const body = bodies[side]
    return body.kind !== "none" && body.isTruncated
  })
  return { ...Object.fromEntries(texts), bodies_from: bodies.source, bodies_cut: truncated }
}

function toText(body: ReadBody): string | null {
  if (body.kind === "none") return null
  return body.kind === "binary" ? `data:application/octet-stream;base64,${body.base64}` : body.text
}
