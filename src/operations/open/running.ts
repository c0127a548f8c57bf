import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Settings } from "../../config/settings.ts"
import { describeStorage } from "../../database/open.ts"
import { findHomeDirectory } from "../../kit/home-directory.ts"
import { toLocalOrigin } from "../gateway-client.ts"

/** A gateway of this user that runs on this machine, as it announced itself in `~/.majordomo/running/PID.json`. */
export interface RunningGateway {
  readonly pid: number
  /** Which database it uses, such as `the embedded database in /var/lib/majordomo`. Without a password. */
  readonly database: string
  /** ISO 8601. */
  readonly since: string
  /** Where it listens, which is not `server.port` if `--port` was given. An older program does not say. */
  readonly host?: string
  readonly port?: number
}

const toDirectory = (): string => join(findHomeDirectory(), ".majordomo", "running")

/**
 * Writes down which database this gateway uses and where it listens, so that a command with other settings can say so.
 * Returns the function that removes it. A gateway without a home directory is not announced.
 */
export function announceGateway(
  { storage }: Pick<Settings, "storage">,
  { host, port }: { readonly host: string; readonly port: number },
): () => void {
  const { pid } = process
  const since = new Date().toISOString()
  const gateway: RunningGateway = { pid, database: describeStorage(storage), since, host, port }
  const file = join(toDirectory(), `${pid}.json`)
  try {
    for (const { pid: ended } of readAll().filter((each) => !isRunning(each.pid))) {
      rmSync(join(toDirectory(), `${ended}.json`), { force: true })
    }
    mkdirSync(toDirectory(), { recursive: true, mode: 0o700 })
    writeFileSync(file, `${JSON.stringify(gateway)}\n`, { mode: 0o600 })
  } catch {
    // It only serves hints.
  }
  return () => rmSync(file, { force: true })
}

/** Returns the gateways of this user that run on this machine. */
export function findRunningGateways(): readonly RunningGateway[] {
  return readAll().filter(({ pid }) => isRunning(pid))
}

/** Returns the origin at which this machine reaches the dashboard of the gateway that uses these settings' database. */
export function findDashboardOrigin({
  admin,
  server,
  storage,
}: Pick<Settings, "admin" | "server" | "storage">): string {
  if (admin.port !== undefined) return toLocalOrigin({ host: admin.host ?? server.host, port: admin.port })
  const own = describeStorage(storage)
  const { host = server.host, port = server.port } =
    findRunningGateways().find(({ database }) => database === own) ?? {}
  return toLocalOrigin({ host, port })
}

function readAll(): readonly RunningGateway[] {
  try {
    return readdirSync(toDirectory()).flatMap((name) => {
      const value: unknown = JSON.parse(readFileSync(join(toDirectory(), name), "utf8"))
      return isGateway(value) ? [value] : []
    })
  } catch {
    return []
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

function isGateway(value: unknown): value is RunningGateway {
  if (typeof value !== "object" || value === null) return false
  const { pid, database, since, host, port } = value as Record<string, unknown>
  const hasAddress = host === undefined || (typeof host === "string" && Number.isInteger(port))
  return Number.isInteger(pid) && typeof database === "string" && typeof since === "string" && hasAddress
}
