import type { MemberNames } from "../kit/json/members.ts"
import type { ProviderRequest } from "./_provider-request.ts"

/**
 * How an API answers on a WebSocket. A session is one connection; each response in it is a *turn*, which is metered,
 * priced and stored like the answer to a request of its own.
 */
export interface SocketProtocol {
  /** Returns true if a WebSocket may be opened at this path. */
  opens(path: string): boolean
  /** @param request the handshake; its body is empty */
  createReader(request: ProviderRequest): SocketReader
  /** The members by which a message of the client says what it asks for. */
  readonly askingNames: MemberNames
  /**
   * Returns a message in the API's form that tells the client why the gateway did not forward what it asked for.
   * @param asked the client's message; undefined: the provider began the turn by itself
   */
  errorMessage(error: SocketError, asked: Buffer | undefined): string
}

/** An error of the gateway's own, as a message of the session states it. */
export interface SocketError {
  /** The status that the same error has over HTTP, such as 429. */
  readonly statusCode: number
  /** The body of that error in the dialect, as JSON text (`Dialect.errorBody`). */
  readonly body: string
}

/**
 * Reads the messages of one session in their order and tells what they say about its turns. It does not meter: the
 * messages of a turn go to the meter that the dialect makes for it (framing `messages`).
 */
export interface SocketReader {
  /** Takes one whole message of the client, decompressed. Returns undefined if it begins nothing. */
  onClient(message: Buffer): TurnBegin | undefined
  /**
   * Takes one whole message of the provider, decompressed. It may begin a turn, belong to one and end it at once.
   * Returns undefined if it belongs to no turn.
   */
  onProvider(message: Buffer): TurnMessage | undefined
  /** The client's message was not forwarded: the turn that it began does not happen. */
  onRejected(turn: string): void
}

export interface TurnBegin {
  /** The name of the turn within its session, which the reader chooses. */
  readonly turn: string
  /**
   * The request of the turn as JSON text, in the form of a request to the API over HTTP, with its `model`: what
   * `Dialect.prepare`, limits and estimates read.
   */
  readonly body: Buffer
}

export interface TurnMessage {
  readonly turn: string
  /** Set if the provider began the turn by itself, or with this message. */
  readonly begins?: TurnBegin
  /** The message contains output, or the first sign of it: its time is the turn's first byte. */
  readonly isOutput: boolean
  /**
   * Set if this message shows that an earlier turn is over, of which no message said so. The earlier one ends before
   * this message is taken.
   */
  readonly endsEarlier?: { readonly turn: string; readonly statusCode: number }
  /** Set if the turn is over. `statusCode` is that of the same result over HTTP: 200, or that of the error. */
  readonly ends?: { readonly statusCode: number; readonly error?: string }
}
