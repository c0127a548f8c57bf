import type { Message } from "../_message.ts"

/** Returns the JSON that an incoming webhook of a chat program takes. */
export function toSlackBody(
  { title, summary }: Message,
  flavor: "slack" | "mattermost" | "discord" | "teams",
): unknown {
  const text = `${title}\n${summary}`
  return flavor === "discord" ? { content: text, allowed_mentions: { parse: [] } } : { text }
}
