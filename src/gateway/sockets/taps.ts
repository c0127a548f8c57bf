import { Inflater } from "../../kit/websocket/inflater.ts"
import { MessageReader } from "../../kit/websocket/message-reader.ts"
import type { Tap } from "./deliveries.ts"
import { MAX_MESSAGE_BYTES, type Side } from "./watcher.ts"

/**
 * Creates what reads the messages of one side.
 * @param extensions the value of the provider's `Sec-WebSocket-Extensions`; undefined: nothing was agreed
 */
export function createTap(side: Side, extensions: string | undefined): Tap {
  const deflate = extensions
    ?.split(",")
    .map((each) =>
      each
        .trim()
        .toLowerCase()
        .split(/\s*;\s*/),
    )
    .find(([name]) => name === "permessage-deflate")
  const isFromClient = side === "client"
  const keepsContext = !deflate?.includes(`${isFromClient ? "client" : "server"}_no_context_takeover`)
  return {
    side,
    reader: new MessageReader({ isFromClient, maxBytes: MAX_MESSAGE_BYTES }),
    inflater: deflate && new Inflater({ keepsContext, maxBytes: MAX_MESSAGE_BYTES }),
  }
}
