import { MemoryBudget } from "../../kit/websocket/memory-budget.ts"

/** The memory that the messages of all WebSockets of a process may take together while they are not complete. */
const MAX_BYTES = 64 * 1024 * 1024

export function createSocketBudget(): MemoryBudget {
  return new MemoryBudget(MAX_BYTES)
}
