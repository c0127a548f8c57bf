import { homedir } from "node:os"

/** Returns the home directory of this user: `HOME`, or the user's entry in the system. A user without an entry has `/`. */
export function findHomeDirectory(): string {
  try {
    return homedir()
  } catch {
    // Containers often run as a number without an entry. login(1) and container engines use `/` for it, too.
    return "/"
  }
}
