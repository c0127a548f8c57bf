import type { IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** The most requests of one connection that may wait for an answer before the gateway stops reading from it. */
const MAX_UNANSWERED = 16

/**
 * Returns a handler that calls `handler` for one request of a connection at a time, as clients may send further requests
 * before the first is answered (pipelining). From 16 unanswered requests on, the connection is not read any further: what
 * the client sends then waits in the operating system. Node parses up to 64 KiB at once, so more of them may be in memory.
 *
 * A request that follows an answer with `Connection: close` is never handled. It may be the rest of a rejected request.
 */
export function inOrder(handler: Handler): Handler {
  return (request, response) => {
    // The response has no socket while an earlier answer on this connection has not ended.
    if (response.socket === null) wait(handler, request, response)
    else if (!request.socket.writableEnded) handler(request, response)
  }
}

/** The waiting requests of one connection. It exists only for connections whose clients pipeline. */
interface Queue {
  waiting: number
}

const queues = new WeakMap<Socket, Queue>()

function wait(handler: Handler, request: IncomingMessage, response: ServerResponse): void {
  const { socket } = request
  const queue = queues.get(socket) ?? createQueue(socket)
  queue.waiting++
  if (isFull(queue)) socket.pause()
  // Without a turn of the event loop in between, thousands of requests would be answered before other connections.
  const handle = () => {
    queue.waiting--
    if (!isFull(queue)) socket.resume()
    if (!response.destroyed) handler(request, response)
  }
  response.once("socket", () => setImmediate(handle))
}

function createQueue(socket: Socket): Queue {
  const queue = { waiting: 0 }
  queues.set(socket, queue)
  // Node resumes the connection whenever a request's body has been read.
  socket.on("resume", () => {
    if (isFull(queue)) socket.pause()
  })
  return queue
}

/** The request that is being answered does not wait, and counts. */
function isFull({ waiting }: Queue): boolean {
  return waiting >= MAX_UNANSWERED - 1
}
