import { createServer } from "node:http"

/**
 * Answers on the gateway's port while it waits for its database: `/health` with 200, everything else with 503, so that a
 * service manager sees a process that lives and a load balancer one that is not ready. Resolves with the function that
 * frees the port. If the port cannot be used, which the gateway reports itself later, nothing answers.
 */
export async function openWaitingRoom({ host, port }: { host: string; port: number }): Promise<() => Promise<void>> {
  const server = createServer((request, response) => {
    request.resume()
    const headers = { Connection: "close", "Content-Type": "application/json", "Retry-After": "1" }
    if (request.url === "/health") return void response.writeHead(200, { Connection: "close" }).end("ok")
    response.writeHead(503, headers)
    response.end(JSON.stringify({ status: "error", error: "the gateway is waiting for its database" }))
  })
  await new Promise<void>((resolve) => void server.once("error", () => resolve()).listen(port, host, resolve))
  return async () => {
    if (!server.listening) return
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  }
}
