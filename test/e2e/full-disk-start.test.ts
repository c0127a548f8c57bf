import { join } from "node:path"
import { afterAll, expect, it } from "vitest"
import { createInstallation, toComplaints } from "../support/gateway.ts"
import { mountSmallDisk } from "../support/small-disk.ts"

const disk = mountSmallDisk(192)
afterAll(() => disk?.remove())

it.skipIf(disk === undefined)(
  "[L1] an embedded database that cannot start on a full disk says so in one line, and starts when there is room",
  async () => {
    const dataDir = join(disk!.dir, "data")
    const home = createInstallation({ MAJORDOMO_STORAGE_DATA_DIR: dataDir, MAJORDOMO_PRICING_REMOTE_URL: "" })
    try {
      disk!.fill()
      const { code, stderr } = await home.run(["serve", "--port", "0"])
      expect([code, toComplaints(stderr)]).toEqual([1, expect.stringMatching(/^error: [^\n]*no space left[^\n]*\n$/i)])
      disk!.clear()
      await (await home.serve()).stop("SIGKILL")

      disk!.fill()
      // Whether its recovery needs room depends on where its log ended.
      const started = await home.serve().catch((error: Error) => error.message)
      if (typeof started === "string") expect(started).toMatch(/cannot start, because its disk is full/)
      else await started.stop("SIGKILL")
      disk!.clear()
      expect((await (await home.serve()).stop()).code).toBe(0)
      expect(await home.runJson(["keys", "list"])).toHaveLength(1)
    } finally {
      await home.remove()
    }
  },
)
