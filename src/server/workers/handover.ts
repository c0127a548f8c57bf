import type { Worker } from "node:cluster"

/** A connection that the primary process holds. */
interface Handle {
  close(): void
}

/**
 * Closes the connections that a worker had been sent and had not confirmed when it ended. Node's cluster closes its own
 * handle of a connection when the worker confirms it, and nobody would do that for a worker that died: the client would
 * wait on a connection that no process reads. A closed connection lets the client try again.
 *
 * The messages are those of https://github.com/nodejs/node/blob/v20.x/lib/internal/cluster/round_robin_handle.js.
 */
export function closeUnconfirmedConnections(worker: Worker): void {
  const child = worker.process
  const unconfirmed = new Map<number, Handle>()
  const send = child.send as (message: unknown, handle: unknown, ...rest: unknown[]) => boolean
  child.send = (message: unknown, handle?: unknown, ...rest: unknown[]) => {
    const { act, seq } = message as { act?: string; seq?: number }
    if (act === "newconn" && seq !== undefined && handle) unconfirmed.set(seq, handle as Handle)
    return send.call(child, message, handle, ...rest)
  }
  child.on("internalMessage" as "message", (message) => {
    unconfirmed.delete((message as { ack?: number } | undefined)?.ack ?? -1)
  })
  const closeAll = () => {
    for (const handle of unconfirmed.values()) handle.close()
    unconfirmed.clear()
  }
  child.once("disconnect", closeAll)
  // The channel of a worker that has died with a connection on its way may never report its end. What the worker had
  // confirmed before is read in this turn of the event loop.
  child.once("exit", () => setImmediate(closeAll))
}
