import { createBodyReader } from "../../bodies/read.ts"
import type { Settings } from "../../config/settings.ts"
import type { Context } from "../context.ts"

/** Calls `work` with a reader of stored bodies, and closes the reader. S3 is reached only when a body is there. */
export async function withBodies<T>(settings: Settings, work: (context: Context<"bodies">) => Promise<T>): Promise<T> {
  const bodies = createBodyReader(settings.s3)
  try {
    return await work({ bodies })
  } finally {
    await bodies.close()
  }
}
