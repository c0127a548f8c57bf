import { toStatementKind } from "./statement-kind.ts"
import { createStatementMemory } from "./statement-memory.ts"
import { DraftUnit, type Unit } from "./unit.ts"
import { endOfText, statementText, toMessage } from "./wire.ts"

/** The result of adding a message: a complete unit, a request to ask the client for its rows, or nothing yet. */
type Added = { readonly unit: Unit } | "copy-in" | undefined

/** Ends a COPY FROM STDIN that the multiplexer did not foresee. The backend ignores it outside of a COPY. */
const COPY_FAIL = toMessage("f", "the embedded database takes COPY FROM STDIN only as a statement of its own\0")

/** Collects a client's messages into units, and gives its prepared statements names that no other client uses. */
export class UnitBuilder {
  /** Put before the client's statement names. Portals need no prefix because they end with the transaction. */
  readonly #prefix: string
  readonly #statements = createStatementMemory()
  #draft = new DraftUnit()
  /** True while the rows of a COPY FROM STDIN arrive. */
  #isCopying = false
  /** True when a statement was prepared that may be a COPY FROM STDIN. */
  #mayCopy = false

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  /** Adds one message. Throws `ProtocolError`. */
  add(message: Buffer): Added {
    const type = String.fromCharCode(message[0]!)
    if (this.#isCopying) return this.#addCopyData(type, message)
    switch (type) {
      case "Q":
        return this.#addQuery(message)
      case "P":
        this.#addParse(message)
        return undefined
      case "B":
        this.#addBind(message)
        return undefined
      case "D":
      case "C":
        this.#addDescribeOrClose(type, message)
        return undefined
      case "S":
      case "H":
        if (this.#mayCopy) this.#draft.add(COPY_FAIL)
        this.#draft.add(message)
        this.#draft.flushes = type === "H"
        return this.#finish()
      case "F":
        this.#draft.add(message)
        return this.#finish()
      default:
        // COPY data outside of a COPY is what a client had sent before the COPY failed: it is dropped.
        if (!"dcf".includes(type)) this.#draft.add(message)
        return undefined
    }
  }

  #finish(): { readonly unit: Unit } {
    const unit = this.#draft
    this.#draft = new DraftUnit()
    return { unit }
  }

  #addCopyData(type: string, message: Buffer): Added {
    if (!"dcf".includes(type)) return undefined
    this.#draft.add(message)
    if (type === "d") return undefined
    this.#isCopying = false
    return this.#finish()
  }

  #addQuery(message: Buffer): Added {
    const kind = toStatementKind(statementText(message))
    this.#draft.add(message)
    this.#draft.kinds.push(kind)
    // A simple query destroys the unnamed statement.
    this.#draft.drops.push("")
    this.#statements.drop("")
    if (kind.copyIn === "one") {
      this.#isCopying = true
      this.#draft.copies = true
      return "copy-in"
    }
    if (kind.copyIn === "maybe") this.#draft.add(COPY_FAIL)
    return this.#finish()
  }

  #addParse(message: Buffer): void {
    const end = endOfText(message, 5)
    const name = this.#toBackendName(message.toString("utf8", 5, end))
    const kind = toStatementKind(statementText(message))
    const parse = name === "" ? message : toMessage("P", name, message.subarray(end))
    if (kind.copyIn !== "no") this.#mayCopy = true
    this.#draft.add(parse)
    this.#draft.kinds.push(kind)
    this.#draft.makes.push(name)
    this.#statements.store(name, { parse, kind })
  }

  #addBind(message: Buffer): void {
    const endOfPortal = endOfText(message, 5)
    const end = endOfText(message, endOfPortal + 1)
    const name = this.#toBackendName(message.toString("utf8", endOfPortal + 1, end))
    this.#use(name)
    const portal = message.subarray(5, endOfPortal + 1)
    this.#draft.add(name === "" ? message : toMessage("B", portal, name, message.subarray(end)))
  }

  #addDescribeOrClose(type: "D" | "C", message: Buffer): void {
    const end = endOfText(message, 6)
    const isPortal = message[5] !== 0x53
    if (isPortal) {
      this.#draft.add(message)
      return
    }
    const name = this.#toBackendName(message.toString("utf8", 6, end))
    if (type === "D") this.#use(name)
    else {
      this.#statements.drop(name)
      this.#draft.drops.push(name)
    }
    this.#draft.add(name === "" ? message : toMessage(type, "S", name, message.subarray(end)))
  }

  #use(name: string): void {
    const known = this.#statements.find(name)
    if (known) this.#draft.kinds.push(known.kind)
    this.#draft.use(name, known?.parse)
  }

  /** PostgreSQL truncates names to 63 bytes. A long name keeps its end, which is where generated names differ. */
  #toBackendName(name: string): string {
    if (name === "") return ""
    return this.#prefix + (Buffer.byteLength(name) > 48 ? Buffer.from(name).subarray(-48).toString("latin1") : name)
  }
}
