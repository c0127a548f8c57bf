import { setTimeout as delay } from "node:timers/promises"
import { CommandError } from "../core/errors.ts"
import { acquireLock } from "../kit/lock.ts"
import { hasCluster } from "./cluster.ts"
import { explainDirectoryError, prepareDataDirectory, requireAccess } from "./data-directory.ts"
import { type Endpoint, findListeningSocket, readEndpoint } from "./endpoint.ts"
import { type OwnedServer, startOwnedServer } from "./owner.ts"

/** Opens a client of the server at `socket` and runs a statement on it. Rejects when the server does not answer. */
type Connect<Client> = (socket: string) => Promise<Client>

interface OpenOptions<Client> {
  readonly dataDir: string
  /** `serve` always owns the database. A `command` is a client of the owner, or the owner while it runs. */
  readonly role: Endpoint["role"]
  readonly log: (line: string) => void
  readonly connect: Connect<Client>
  /** Returns the error of a command when the directory has no database. Without it, the database is created. */
  readonly toMissingError?: (dataDir: string) => CommandError
}

/** Either a client of another process's server, or a server that this process owns. */
type Opened<Client> = { readonly kind: "client"; readonly client: Client } | ({ readonly kind: "owner" } & OwnedServer)

const PATIENCE_MS = 30_000
const RETRY_MS = 100
/** A gateway that still holds the directory after this time is running, and not about to end. */
const SETTLED_MS = 250

/**
 * Opens the PostgreSQL of a data directory. Waits up to 30 s while another process holds the directory and does not
 * answer. Throws `CommandError` that names that process.
 */
export async function openEmbeddedServer<Client>(options: OpenOptions<Client>): Promise<Opened<Client>> {
  const { dataDir, role, connect, toMissingError } = options
  const startedAt = performance.now()
  let holder: { readonly endpoint: Endpoint; readonly seenAt: number } | undefined
  for (;;) {
    requireAccess(dataDir)
    const socket = await findListeningSocket(dataDir)
    if (role === "command" && socket !== undefined) {
      // The owner may end between the two steps. This process then finds its successor, or becomes the owner.
      const client = await connect(socket).catch(() => undefined)
      if (client) return { kind: "client", client }
    }
    const endpoint = readEndpoint(dataDir)
    if (toMissingError && !endpoint && !hasCluster(dataDir)) throw toMissingError(dataDir)
    // A process that answers at the socket uses the files, whatever the lock says.
    const owned = socket === undefined ? await becomeOwner(options) : undefined
    if (owned) return { kind: "owner", ...owned }

    const now = performance.now()
    const isSame = endpoint?.pid === holder?.endpoint.pid && endpoint?.since === holder?.endpoint.since
    if (!isSame) holder = endpoint && { endpoint, seenAt: now }
    const isServed = role === "serve" && holder?.endpoint.role === "serve" && now - holder.seenAt > SETTLED_MS
    if (isServed || now - startedAt > PATIENCE_MS) throw toHeldError(options, endpoint)
    await delay(RETRY_MS)
  }
}

/** Starts a server if this process can have the lock of the directory. Returns undefined if another process has it. */
async function becomeOwner<Client>(options: OpenOptions<Client>): Promise<OwnedServer | undefined> {
  const { dataDir, role, log, toMissingError } = options
  prepareDataDirectory(dataDir)
  let hasWaited = false
  const onWait = (ms: number) => {
    hasWaited = true
    const seconds = Math.round(ms / 1000)
    log(
      `the data directory ${dataDir} was last used on another machine, or before this one restarted: waiting ${seconds} s to see whether that process still runs`,
    )
  }
  const lock = await acquireLock(dataDir, { onWait }).catch((error: unknown) => {
    throw new CommandError(explainDirectoryError(dataDir, error))
  })
  if (!lock) {
    if (hasWaited) throw toHeldError({ ...options, elsewhere: true }, readEndpoint(dataDir))
    return undefined
  }
  if (toMissingError && !hasCluster(dataDir)) {
    await lock.release()
    throw toMissingError(dataDir)
  }
  return startOwnedServer({ dataDir, role, log, lock })
}

/** Connects to the server of the process that owns the directory. Returns undefined when none answers. */
export async function joinEmbeddedServer<Client>(
  dataDir: string,
  connect: Connect<Client>,
): Promise<Client | undefined> {
  requireAccess(dataDir)
  const socket = await findListeningSocket(dataDir)
  return socket === undefined ? undefined : await connect(socket).catch(() => undefined)
}

interface HeldContext {
  readonly dataDir: string
  readonly role: Endpoint["role"]
  /** Whether the holder runs on another machine. */
  readonly elsewhere?: boolean
}

function toHeldError({ dataDir, role, elsewhere }: HeldContext, owner: Endpoint | undefined): CommandError {
  const database = `the embedded database in ${dataDir}`
  const where = elsewhere ? " on another machine" : ""
  if (!owner) return new CommandError(`${database} is held by another process${where}: stop that process first`)
  const who = `\`${owner.command}\`, process ${owner.pid}${where}, since ${owner.since}`
  if (owner.role === "command") {
    return new CommandError(
      `${database} is in use by another command (${who}): wait until it has ended, then try again`,
    )
  }
  const gateway = `${database} is in use by a running gateway (${who})`
  if (role === "serve") {
    return new CommandError(`${gateway}: stop it, or set storage.data_dir to another directory`)
  }
  return new CommandError(
    `${gateway} that cannot be reached from here: run this command where the gateway runs, for example in its container`,
  )
}
