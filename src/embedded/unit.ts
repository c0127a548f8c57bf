import { type StatementKind, toStatementKind } from "./statement-kind.ts"
import { endOfText, ProtocolError, statementText, toMessage } from "./wire.ts"

/** What a client wants run in one go: its messages up to a Query, Sync, Flush or FunctionCall. */
export interface Unit {
  readonly messages: readonly Buffer[]
  readonly bytes: number
  readonly kinds: readonly StatementKind[]
  /** Statements that it uses without making them, with the Parse message that makes each. */
  readonly uses: ReadonlyMap<string, Buffer | undefined>
  readonly makes: readonly string[]
  readonly drops: readonly string[]
  /** It ends with Flush: no ReadyForQuery follows. */
  readonly flushes: boolean
  /** The client already got its "send me the rows", so the backend's is dropped. */
  readonly copies: boolean
}

export interface UnitBuilder {
  /** Adds one message. `unit`: it is whole. `copy-in`: the client is to be told to send its rows. */
  add(message: Buffer): { readonly unit: Unit } | "copy-in" | undefined
  /** Backend names of all statements that this client may have made. */
  statements(): Iterable<string>
}

/** All that one client may have waiting as one unit; COPY FROM STDIN is collected whole, for the backend cannot wait for it. */
const MAX_UNIT_BYTES = 128 * 1024 * 1024
/** Statements are remembered so that they can be made again; beyond this they are not. */
const MAX_REMEMBERED_BYTES = 8 * 1024 * 1024
/** Ends a COPY FROM STDIN that we did not foresee. Outside of one the backend ignores it. */
const COPY_FAIL = toMessage("f", "the embedded database takes COPY FROM STDIN only as a statement of its own\0")

/** @param prefix put before the client's statement names. Portals need none: they end with the transaction. */
export function createUnitBuilder(prefix: string): UnitBuilder {
  const remembered = new Map<string, { readonly parse: Buffer; readonly kind: StatementKind }>()
  let rememberedBytes = 0
  let draft = createDraft()
  let copying = false
  let mayCopy = false

  const forget = (name: string) => {
    rememberedBytes -= remembered.get(name)?.parse.length ?? 0
    remembered.delete(name)
  }
  const add = (message: Buffer) => {
    draft.bytes += message.length
    if (draft.bytes > MAX_UNIT_BYTES) {
      throw new ProtocolError(`more than ${MAX_UNIT_BYTES / 1024 / 1024} MB at once; send it in smaller pieces`)
    }
    draft.messages.push(message)
  }
  const finish = () => {
    const unit: Unit = draft
    draft = createDraft()
    return { unit }
  }
  const use = (name: string) => {
    const known = remembered.get(name)
    if (known) draft.kinds.push(known.kind)
    if (!draft.makes.includes(name) && !draft.uses.has(name)) draft.uses.set(name, known?.parse)
  }

  function addParse(message: Buffer): void {
    const end = endOfText(message, 5)
    const name = toBackendName(prefix, message.toString("utf8", 5, end))
    const kind = toStatementKind(statementText(message))
    const parse = name === "" ? message : toMessage("P", name, message.subarray(end))
    if (kind.copyIn !== "no") mayCopy = true
    add(parse)
    draft.kinds.push(kind)
    draft.makes.push(name)
    forget(name)
    if (rememberedBytes + parse.length > MAX_REMEMBERED_BYTES) return
    remembered.set(name, { parse: Buffer.from(parse), kind })
    rememberedBytes += parse.length
  }

  function addBind(message: Buffer): void {
    const endOfPortal = endOfText(message, 5)
    const end = endOfText(message, endOfPortal + 1)
    const name = toBackendName(prefix, message.toString("utf8", endOfPortal + 1, end))
    use(name)
    add(name === "" ? message : toMessage("B", message.subarray(5, endOfPortal + 1), name, message.subarray(end)))
  }

  function addDescribeOrClose(type: "D" | "C", message: Buffer): void {
    const end = endOfText(message, 6)
    if (message[5] !== 0x53) {
      add(message)
      return
    }
    const name = toBackendName(prefix, message.toString("utf8", 6, end))
    if (type === "D") use(name)
    else {
      forget(name)
      draft.drops.push(name)
    }
    add(name === "" ? message : toMessage(type, "S", name, message.subarray(end)))
  }

  function addQuery(message: Buffer): { readonly unit: Unit } | "copy-in" {
    const kind = toStatementKind(statementText(message))
    add(message)
    draft.kinds.push(kind)
    draft.drops.push("")
    forget("")
    if (kind.copyIn === "one") {
      copying = true
      draft.copies = true
      return "copy-in"
    }
    if (kind.copyIn === "maybe") add(COPY_FAIL)
    return finish()
  }

  return {
    add(message) {
      const type = String.fromCharCode(message[0]!)
      if (copying) {
        if (!"dcf".includes(type)) return undefined
        add(message)
        if (type === "d") return undefined
        copying = false
        return finish()
      }
      if (type === "Q") return addQuery(message)
      if (type === "P") addParse(message)
      else if (type === "B") addBind(message)
      else if (type === "D" || type === "C") addDescribeOrClose(type, message)
      else if ("dcf".includes(type)) return undefined
      else {
        if (mayCopy && (type === "S" || type === "H")) add(COPY_FAIL)
        add(message)
      }
      if (!"SHF".includes(type)) return undefined
      draft.flushes = type === "H"
      return finish()
    },
    statements: () => remembered.keys(),
  }
}

interface Draft extends Unit {
  messages: Buffer[]
  bytes: number
  kinds: StatementKind[]
  uses: Map<string, Buffer | undefined>
  makes: string[]
  drops: string[]
  flushes: boolean
  copies: boolean
}

function createDraft(): Draft {
  return { messages: [], bytes: 0, kinds: [], uses: new Map(), makes: [], drops: [], flushes: false, copies: false }
}

/** PostgreSQL cuts names at 63 bytes, so a long one keeps its end, where generated names differ. */
function toBackendName(prefix: string, name: string): string {
  if (name === "") return ""
  return prefix + (Buffer.byteLength(name) > 48 ? Buffer.from(name).subarray(-48).toString("latin1") : name)
}
