import { userInfo } from "node:os"
import type { Actor } from "../core/actor.ts"

/** Returns who runs a command on its own database: the user of the system. Whoever can open the database may do everything. */
export function findActor(): Actor {
  return { kind: "command", name: findUserName(), role: "admin", id: null, address: null }
}

function findUserName(): string {
  try {
    return userInfo().username
  } catch {
    // Containers often run as a number without an entry.
    return `user ${process.getuid?.() ?? "unknown"}`
  }
}
