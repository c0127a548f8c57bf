import type { Reading } from "../core/usage.ts"

const LOCATION = /\/locations\/([a-z0-9-]+)\//

/** Returns a reading with the region of Vertex AI in the path of its request, which decides the price. */
export function withRegion(reading: Reading, path: string): Reading {
  const region = LOCATION.exec(path)?.[1]
  return region === undefined ? reading : { ...reading, geo: region }
}
