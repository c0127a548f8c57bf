// The minimum that any gateway on this stack costs: it accepts the upgrade, connects to the provider, and pipes the sockets.
import { createServer } from "node:http"
import { connect } from "node:net"

const origin = new URL(/** @type {string} */ (process.argv[2]))
const server = createServer((_request, response) => response.writeHead(404).end())
server.on("upgrade", (request, client, head) => {
  const provider = connect({ port: Number(origin.port), host: origin.hostname, noDelay: true })
  let text = `${request.method} ${request.url} HTTP/1.1\r\n`
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    text += `${request.rawHeaders[at]}: ${request.rawHeaders[at + 1]}\r\n`
  }
  provider.write(`${text}\r\n`)
  provider.write(head)
  client.pipe(provider).pipe(client)
  client.on("error", () => provider.destroy())
  provider.on("error", () => client.destroy())
})
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  process.send?.({ port: typeof address === "object" ? address?.port : undefined })
})
process.once("disconnect", () => process.exit(0))
