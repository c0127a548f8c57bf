import { CommandError } from "../core/errors.ts"
import type { Lock } from "../kit/lock.ts"
import { findAssets } from "./assets.ts"
import { prepareCluster } from "./cluster.ts"
import { explainDirectoryError } from "./data-directory.ts"
import { type Endpoint, makeSocketPath, removeEndpoint, writeEndpoint } from "./endpoint.ts"
import { startEmbeddedServer } from "./server.ts"

/** The server of a data directory that this process owns. */
export interface OwnedServer {
  readonly socket: string
  /** Lets clients finish, shuts PostgreSQL down and releases the directory. */
  close(): Promise<void>
}

/** How long clients may finish when the owner closes. Commands that joined a command expect to finish normally. */
const GRACE_MS = { serve: 2_000, command: 15_000 } as const

/** Starts the server of a data directory whose lock this process holds. Releases the lock when the start fails. */
export async function startOwnedServer(options: {
  readonly dataDir: string
  readonly role: Endpoint["role"]
  readonly log: (line: string) => void
  readonly lock: Lock
}): Promise<OwnedServer> {
  const { dataDir, role, log, lock } = options
  try {
    removeEndpoint(dataDir)
    const socket = makeSocketPath(dataDir)
    const since = new Date().toISOString()
    writeEndpoint(dataDir, { pid: process.pid, role, command: toCommand(role), since, socket })
    const { workerUrl, seedFile } = findAssets()
    const directory = await prepareCluster({ dataDir, seedFile, workerUrl, log })
    const { validUntil } = lock
    const server = await startEmbeddedServer({ workerUrl, directory, socket, log, validUntil })
    const close = async () => {
      await server.close(GRACE_MS[role])
      if (lock.isHeld()) removeEndpoint(dataDir)
      await lock.release()
    }
    return { socket, close }
  } catch (error) {
    if (lock.isHeld()) removeEndpoint(dataDir)
    await lock.release()
    throw toStartError(dataDir, error)
  }
}

/** PostgreSQL and the file system fail for reasons that a person can remove. Anything else is a bug, and stays one. */
function toStartError(dataDir: string, error: unknown): unknown {
  const { syscall, message } = error as NodeJS.ErrnoException
  if (syscall !== undefined) return new CommandError(explainDirectoryError(dataDir, error))
  if ((error as Error).constructor !== Error) return error
  const what = `the embedded database in ${dataDir} cannot start`
  if (!/no space left on device/i.test(message)) return new CommandError(`${what}: ${message}`)
  return new CommandError(
    `${what}, because its disk is full: free some space; rows that wait in the journal stay there`,
  )
}

/** Returns the words of this process's command, without options and what follows them. */
function toCommand(role: Endpoint["role"]): string {
  const words = process.argv.slice(2, 4)
  const end = words.findIndex((word) => !/^[a-z-]+$/.test(word) || word.startsWith("-"))
  return words.slice(0, end < 0 ? words.length : end).join(" ") || role
}
