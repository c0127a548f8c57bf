import { createInterface } from "node:readline/promises"
import { CommandError } from "../core/errors.ts"

/** The option of commands that ask before they delete. */
export const YES_OPTION = {
  yes: { type: "boolean", description: "do not ask; without a terminal, nothing is asked" },
} as const

/**
 * Asks on a terminal whether to go on. Scripts are not asked.
 *
 * @throws CommandError (exit code 1) unless the answer is yes
 */
export async function confirm(question: string, { yes = false }: { readonly yes?: boolean }): Promise<void> {
  if (yes || process.stdin.isTTY !== true || process.stderr.isTTY !== true) return
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await terminal.question(`${question} [y/N] `).finally(() => terminal.close())
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandError("canceled: nothing was changed")
}
