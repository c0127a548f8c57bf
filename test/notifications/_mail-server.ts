import type { AddressInfo } from "node:net"
import { type ParsedMail, simpleParser } from "mailparser"
import { SMTPServer, type SMTPServerOptions } from "smtp-server"

export interface MailServer {
  readonly port: number
  readonly mails: readonly (ParsedMail & { readonly envelope: readonly string[] })[]
  /** What the server answers to a receiver, by its address: `550` or `451`, else it accepts it. */
  readonly rejected: Map<string, number>
  close(): Promise<void>
}

export const LOGIN = { user: "gateway@example.com", password: "P4SSWORD/1" }

/** Starts a mail server that keeps the mails. It asks for the login, unless `options` say otherwise. */
export async function startMailServer(options: SMTPServerOptions = {}): Promise<MailServer> {
  const mails: (ParsedMail & { envelope: readonly string[] })[] = []
  const rejected = new Map<string, number>()
  const server = new SMTPServer({
    disabledCommands: ["STARTTLS"],
    onAuth({ username, password }, _session, done) {
      const isRight = username === LOGIN.user && password === LOGIN.password
      done(isRight ? null : new Error(`no such login: ${password}`), { user: username })
    },
    onRcptTo({ address }, _session, done) {
      const code = rejected.get(address)
      done(code === undefined ? null : Object.assign(new Error("not here"), { responseCode: code }))
    },
    onData(stream, { envelope }, done) {
      void simpleParser(stream).then((mail) => {
        mails.push({ ...mail, envelope: envelope.rcptTo.map(({ address }) => address) })
        done()
      }, done)
    },
    ...options,
  })
  // A client that breaks off is not an error of a test.
  server.on("error", () => {})
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.server.address() as AddressInfo
  return { port, mails, rejected, close: () => new Promise((resolve) => server.close(resolve)) }
}
