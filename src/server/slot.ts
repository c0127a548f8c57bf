import { hostname } from "node:os"
import { CommandError } from "../core/errors.ts"
import { explainDirectoryError } from "../database/open.ts"
import { claimSlot } from "../kit/log/slots.ts"

/** Claims a slot for this process. @throws CommandError that says who owns what if the directory cannot be used */
export function claimOwnSlot(root: string): ReturnType<typeof claimSlot> {
  return claimSlot(root).catch((error: NodeJS.ErrnoException) => {
    throw error.code === undefined ? error : new CommandError(explainDirectoryError(root, error))
  })
}

/** Returns the name of a slot's directory among all machines, under which the database knows it. */
export function toSlotName(dir: string): string {
  return `${hostname()}:${dir}`
}
