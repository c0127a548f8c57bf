import type { AnyCommand } from "./_command.ts"

/** A command, a group of commands, or both. */
export interface CommandEntry {
  /** The line in the list of commands, which is shown without loading any command. */
  readonly summary: string
  /** A terminal shows this line at once, because loading the command takes a moment. */
  readonly begins?: string
  readonly load?: () => Promise<{ readonly default: AnyCommand }>
  readonly commands?: CommandTable
}

export type CommandTable = Readonly<Record<string, CommandEntry>>

/** The program: its commands, by name. */
export interface Program {
  readonly name: string
  readonly version: string
  readonly commands: CommandTable
}
