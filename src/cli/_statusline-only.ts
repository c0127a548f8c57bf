import { drawStatus, type StatusLineArgs } from "./_draw-status.ts"
import { exitOnBrokenPipe, printPiece } from "./_print.ts"

const TEXTS = ["format", "gateway", "token"] as const

/**
 * Runs the command `statusline` without the rest of the program, and ends the process. The build makes one file of it: a
 * status line is drawn again after every answer, and loading the table of commands takes longer than to ask the gateway.
 *
 * @returns false, and does nothing, for arguments that the whole program has to explain, such as `--help` and mistakes
 */
export async function runStatusLine(args: readonly string[]): Promise<boolean> {
  const parsed = parseArgs(args)
  if (parsed === undefined) return false
  exitOnBrokenPipe()
  await drawStatus(parsed)
  // All is written. What may still be open, such as a look-up of a name, must not keep the line waiting.
  await printPiece("")
  process.exit()
}

function parseArgs(args: readonly string[]): StatusLineArgs | undefined {
  const found: Record<string, string | boolean> = {}
  for (let i = 0; i < args.length; i++) {
    const [, name = "", inline] = /^--([a-z]+)(?:=([\s\S]*))?$/.exec(args[i]!) ?? []
    if (name in found) return undefined
    if (name === "json" && inline === undefined) found["json"] = true
    else if (TEXTS.some((text) => text === name)) {
      const value = inline ?? args[++i]
      if (value === undefined || (inline === undefined && value.startsWith("--"))) return undefined
      found[name] = value
    } else return undefined
  }
  return found
}
