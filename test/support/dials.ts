import { Socket } from "node:net"
import { vi } from "vitest"

/** Notes the address of each connection that this process opens from now on, as `host:port`, until `stop`. */
export function watchDials(): { readonly dialled: string[]; stop(): void } {
  const dialled: string[] = []
  const { connect } = Socket.prototype
  const spy = vi.spyOn(Socket.prototype, "connect").mockImplementation(function (this: Socket, ...args: unknown[]) {
    // Node gives its own functions the arguments as a list: the options, and the callback.
    const [first] = args as [{ host?: string; port?: number | string } | [{ host?: string; port?: number | string }]]
    const { host = "localhost", port } = Array.isArray(first) ? first[0] : first
    if (port !== undefined) dialled.push(`${host}:${port}`)
    return Reflect.apply(connect, this, args)
  } as typeof connect)
  return { dialled, stop: () => spy.mockRestore() }
}
