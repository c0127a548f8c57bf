import { expect } from "vitest"
import type { BodyStore } from "../../src/bodies/index.ts"
import { HANG_MS, until } from "../support/until.ts"

/** Waits until no body waits for S3. The store itself ends a drain when nothing moves for some seconds, as on a busy machine. */
export async function drain(store: BodyStore): Promise<void> {
  await until(async () => expect(await store.drain(HANG_MS)).toEqual({ waiting: 0 }))
}
