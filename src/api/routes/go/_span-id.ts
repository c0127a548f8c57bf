import { createHash } from "node:crypto"

/** The namespace of the ids of spans, which the Go gateway and its Python package use. */
const NAMESPACE = Buffer.from("6f1a2b3c00005000a000000000000001", "hex")

/** Returns the id of a span: a UUID version 5 of its trace and its path. The path of a whole run is empty. */
export function toSpanId(trace: string, path: string): string {
  const id = createHash("sha1").update(NAMESPACE).update(`${trace}\0${path}`).digest().subarray(0, 16)
  id[6] = (id[6]! & 0x0f) | 0x50
  id[8] = (id[8]! & 0x3f) | 0x80
  return id.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")
}
