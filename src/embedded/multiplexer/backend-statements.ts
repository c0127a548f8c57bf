import type { Session } from "./session.ts"
import type { Unit } from "./unit.ts"
import { toCloseStatement } from "./wire.ts"

/** Tracks which clients' prepared statements the backend has. */
interface BackendStatements {
  /**
   * Returns the messages that make again the statements that the unit uses and the backend lacks, and the types of the
   * replies to them. Notes what the unit itself makes and drops.
   */
  prepare(
    session: Session,
    unit: Unit,
  ): { readonly messages: readonly Buffer[]; readonly replyTypes: readonly string[] }
  /** Notes that the backend's unnamed statement is gone or belongs to nobody. Of `session` only, if it is given. */
  forgetUnnamed(session?: Session): void
}

export function createBackendStatements(sessions: ReadonlySet<Session>): BackendStatements {
  /** The client whose unnamed statement the backend has. */
  let unnamedOwner: Session | undefined

  const isPrepared = (session: Session, name: string) =>
    name === "" ? unnamedOwner === session : session.prepared.has(name)
  const add = (session: Session, name: string) => {
    if (name === "") unnamedOwner = session
    else session.prepared.add(name)
  }
  const remove = (session: Session, name: string) => {
    if (name === "") unnamedOwner = undefined
    else session.prepared.delete(name)
  }

  return {
    prepare(session, unit) {
      const messages: Buffer[] = []
      const replyTypes: string[] = []
      for (const [name, parse] of unit.uses) {
        if (!parse || isPrepared(session, name)) continue
        // Closing first makes the Parse succeed even if the statement exists. The replies are CloseComplete,
        // ParseComplete.
        messages.push(toCloseStatement(name), parse)
        replyTypes.push("3", "1")
        add(session, name)
      }
      for (const name of unit.makes) add(session, name)
      for (const name of unit.drops) remove(session, name)
      if (unit.kinds.some((kind) => kind.forgetsStatements)) {
        unnamedOwner = undefined
        for (const each of sessions) each.prepared.clear()
      }
      return { messages, replyTypes }
    },
    forgetUnnamed(session) {
      if (session === undefined || unnamedOwner === session) unnamedOwner = undefined
    },
  }
}
