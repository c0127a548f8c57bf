import type { Reading } from "../core/usage.ts"

/** The models of other publishers have one price in all regions that offer them. */
const LOCATION = /\/locations\/([a-z0-9-]+)\/(?!publishers\/(?!google\/|anthropic\/))/

/** Returns a reading with the region of Vertex AI in the path of its request, which decides the price. */
export function withRegion(reading: Reading, path: string): Reading {
  const region = LOCATION.exec(path)?.[1]
  return region === undefined ? reading : { ...reading, geo: region }
}
