import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { median } from "./_measure.mjs"
import { startGateway } from "./_processes.mjs"

const BIN = fileURLToPath(new URL("../bin/majordomo.mjs", import.meta.url))

/**
 * Measures start times in ms: node alone, `--help`, and `serve` until it is ready, on PostgreSQL and on the embedded database
 * from its second start on. The measurements alternate, and the results are medians.
 *
 * @param {{ rounds: number, postgres: Record<string, string> }} options
 */
export async function measureStarting({ rounds, postgres }) {
  const home = mkdtempSync(join(tmpdir(), "majordomo-bench-start-"))
  const embedded = { HOME: home, DATABASE_URL: "", MAJORDOMO_SERVER_PORT: "0", MAJORDOMO_PRICING_REMOTE_URL: "" }
  /** @type {{ node: number[], help: number[], postgres: number[], embedded: number[] }} */
  const found = { node: [], help: [], postgres: [], embedded: [] }
  try {
    const firstMs = await serveMs(embedded, home)
    for (let round = 0; round < rounds; round++) {
      found.node.push(timed(["-e", "0"]))
      found.help.push(timed([BIN, "--help"]))
      found.postgres.push(await serveMs(postgres, home))
      found.embedded.push(await serveMs(embedded, home))
    }
    return {
      node: median(found.node),
      help: median(found.help),
      postgres: median(found.postgres),
      embedded: median(found.embedded),
      embeddedFirst: firstMs,
    }
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

/** @param {string[]} args */
function timed(args) {
  const startedAt = performance.now()
  const { status } = spawnSync(process.execPath, args, { stdio: "ignore" })
  if (status !== 0) throw new Error(`node ${args.join(" ")} ended with ${status}`)
  return performance.now() - startedAt
}

/** @param {Record<string, string>} settings @param {string} cwd */
async function serveMs(settings, cwd) {
  const gateway = await startGateway(settings, cwd)
  await gateway.stop()
  return gateway.readyMs
}
