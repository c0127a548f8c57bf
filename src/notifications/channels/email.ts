import type { EmailChannel } from "../../core/notification-settings.ts"
import { redactSecrets } from "../../core/secrets.ts"
import { truncateText } from "../../core/text.ts"
import { listSecrets } from "../address.ts"
import { toEmail } from "../render/email.ts"
import { type Delivery, type SendOptions, TIMEOUT_MS } from "./_send.ts"
import { DeliveryError } from "./delivery-error.ts"
import { describeFailure } from "./http.ts"

const MAX_SAID_LENGTH = 200

/**
 * Sends an e-mail to all receivers of a channel. The password is sent over TLS only: with `smtp://` and a password, the server
 * must offer STARTTLS, unless it is on this machine.
 *
 * @returns a sentence if the server has rejected some of the receivers
 * @throws DeliveryError
 */
export async function sendEmail(
  channel: EmailChannel,
  { id, message }: Delivery,
  { timeoutMs = TIMEOUT_MS, signal }: SendOptions,
): Promise<string | undefined> {
  // It is loaded here, because most gateways send no e-mails.
  const { createTransport } = await import("nodemailer")
  const { subject, text, html } = toEmail(message)
  const transport = createTransport(toServer(channel, timeoutMs))
  const stop = () => transport.close()
  signal?.addEventListener("abort", stop, { once: true })
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new DeliveryError(`the mail server did not answer within ${timeoutMs / 1000} s`)),
      timeoutMs,
    )
  })
  try {
    const sending = transport.sendMail({
      from: channel.from,
      to: [...channel.to],
      subject,
      text,
      html,
      messageId: `<${id}@${toDomain(channel.from)}>`,
      headers: { "X-Majordomo-Delivery": id, "Auto-Submitted": "auto-generated" },
      disableFileAccess: true,
      disableUrlAccess: true,
    })
    const { rejected } = await Promise.race([sending, late])
    return rejected.length === 0 ? undefined : `the mail server rejected ${rejected.map(String).join(", ")}`
  } catch (error) {
    throw error instanceof DeliveryError ? error : toError(error, channel)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener("abort", stop)
    transport.close()
  }
}

function toServer({ smtp }: EmailChannel, timeoutMs: number) {
  const { protocol, hostname, port, username, password } = new URL(smtp)
  const host = hostname.replace(/^\[(.*)\]$/, "$1")
  const isSecure = protocol === "smtps:"
  const hasLogin = username !== ""
  const isLocal = /^(?:localhost|127(?:\.\d+){3}|::1)$/.test(host)
  return {
    host,
    port: port === "" ? (isSecure ? 465 : 587) : Number(port),
    secure: isSecure,
    requireTLS: !isSecure && hasLogin && !isLocal,
    ...(hasLogin && { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
  }
}

function toDomain(from: string): string {
  return /@([^\s@<>]+)>?$/.exec(from)?.[1] ?? "localhost"
}

/** Answers of a mail server are temporary from 400 to 499, and final from 500 on. */
function toError(error: unknown, channel: EmailChannel): DeliveryError {
  const {
    responseCode,
    response,
    code,
    message = "",
  } = error as {
    readonly message?: string
    readonly responseCode?: number
    readonly response?: string
    readonly code?: string
  }
  const clean = listSecrets(channel).reduce((rest, secret) => rest.replaceAll(secret, "***"), response ?? "")
  const said = truncateText(
    redactSecrets(clean)
      .replaceAll(/[\p{Cc}\s]+/gu, " ")
      .trim(),
    MAX_SAID_LENGTH,
  )
  if (code === "EAUTH") {
    return new DeliveryError(`the mail server rejected the user or the password${said && `: ${said}`}`, {
      isPermanent: true,
    })
  }
  if (code === "ETLS") {
    return new DeliveryError(
      "the mail server offers no TLS, and a password is sent over TLS only: use smtps://, or a server with STARTTLS",
    )
  }
  if (responseCode !== undefined) {
    return new DeliveryError(`the mail server answered ${said}`, { isPermanent: responseCode >= 500 })
  }
  if (/certificate/i.test(message)) return new DeliveryError("the TLS certificate of the mail server was not accepted")
  // nodemailer has codes of its own, and the one of the connection stands in its message.
  const found = /\bE[A-Z_]{4,}\b/.exec(message)?.[0] ?? code
  return new DeliveryError(`the mail server could not be reached: ${describeFailure({ code: found })}`)
}
