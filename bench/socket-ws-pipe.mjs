// A relay as anybody would write it with the package `ws`: each message is received and sent on, and nothing reads it.
import { WebSocket, WebSocketServer } from "ws"

const origin = new URL(/** @type {string} */ (process.argv[2]))
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false })
server.on("connection", (client, request) => {
  const headers = { authorization: request.headers.authorization, "x-bench": request.headers["x-bench"] }
  const address = `ws://${origin.host}${request.url}`
  const provider = new WebSocket(address, { headers, perMessageDeflate: false })
  /** @type {(() => void)[]} */
  const early = []
  client.on("message", (data, isBinary) => {
    const send = () => provider.send(data, { binary: isBinary })
    if (provider.readyState === WebSocket.OPEN) send()
    else early.push(send)
  })
  provider.on("open", () => {
    for (const send of early.splice(0)) send()
  })
  provider.on("message", (data, isBinary) => client.send(data, { binary: isBinary }))
  client.on("close", () => provider.close())
  provider.on("close", () => client.close())
  client.on("error", () => provider.terminate())
  provider.on("error", () => client.terminate())
})
server.once("listening", () => {
  const address = server.address()
  process.send?.({ port: typeof address === "object" ? address?.port : undefined })
})
process.once("disconnect", () => process.exit(0))
