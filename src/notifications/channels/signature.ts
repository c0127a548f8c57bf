import { createHmac } from "node:crypto"

/**
 * Returns the value of `X-Majordomo-Signature`: `t=SECONDS,v1=HEX`, where HEX is HMAC-SHA256 of `SECONDS.BODY`. The time is
 * signed too, so that a receiver can reject a message that somebody repeats later.
 */
export function sign(secret: string, body: string, atMs: number): string {
  const seconds = Math.floor(atMs / 1000)
  return `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")}`
}
