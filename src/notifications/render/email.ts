import type { Message } from "../_message.ts"

/** Returns a message as mail: a text part, and an HTML part. */
export function toEmail({ title, summary }: Message) {
  const text = `${title}\n\n${summary}\n`
  const html = `<pre>${text.replace(/[&<>]/g, (char) => `&#${char.charCodeAt(0)};`)}</pre>`
  return { subject: title.replace(/[\x00-\x1f]/g, " "), text, html }
}
