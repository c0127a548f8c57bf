import { setTimeout as delay } from "node:timers/promises"
import { CommandError } from "../core/errors.ts"
import { acquireLock } from "../kit/lock.ts"
import { prepareDataDirectory } from "./data-directory.ts"
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
  const { dataDir, role, log, connect } = options
  prepareDataDirectory(dataDir)
  const startedAt = performance.now()
  let holder: { readonly endpoint: Endpoint; readonly seenAt: number } | undefined
  for (;;) {
    if (role === "command") {
      const client = await joinEmbeddedServer(dataDir, connect)
      if (client) return { kind: "client", client }
    }
    const lock = await acquireLock(dataDir)
    if (lock) return { kind: "owner", ...(await startOwnedServer({ dataDir, role, log, lock })) }

    const endpoint = readEndpoint(dataDir)
    const now = performance.now()
    const isSame = endpoint?.pid === holder?.endpoint.pid && endpoint?.since === holder?.endpoint.since
    if (!isSame) holder = endpoint && { endpoint, seenAt: now }
    const isServed = role === "serve" && holder?.endpoint.role === "serve" && now - holder.seenAt > SETTLED_MS
    if (isServed || now - startedAt > PATIENCE_MS) throw toHeldError(dataDir, endpoint)
    await delay(RETRY_MS)
  }
}

/** Connects to the server of the process that owns the directory. Returns undefined when none answers. */
export async function joinEmbeddedServer<Client>(
  dataDir: string,
  connect: Connect<Client>,
): Promise<Client | undefined> {
  const socket = await findListeningSocket(dataDir)
  // The owner may end between the two steps. The caller then finds its successor, or becomes the owner.
  return socket === undefined ? undefined : await connect(socket).catch(() => undefined)
}

function toHeldError(dataDir: string, owner: Endpoint | undefined): CommandError {
  const database = `the embedded database in ${dataDir}`
  if (!owner) return new CommandError(`${database} is held by another process: stop that process first`)
  const who = `\`${owner.command}\`, process ${owner.pid}, since ${owner.since}`
  return owner.role === "serve"
    ? new CommandError(
        `${database} is in use by a running gateway (${who}): stop it, or set storage.data_dir to another directory`,
      )
    : new CommandError(`${database} is in use by another command (${who}): wait until it has ended, then try again`)
}
