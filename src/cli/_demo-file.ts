import { existsSync } from "node:fs"
import { join } from "node:path"
import { CommandError } from "../core/errors.ts"
import { findHomeDirectory } from "../kit/home-directory.ts"
import { type AnyCommand, COMMON } from "./_command.ts"

/** Returns the settings file of the demo. The data of the demo are in the same directory. */
export const toDemoFile = (): string => join(findHomeDirectory(), ".majordomo-demo", "majordomo.yaml")

/**
 * Returns the arguments of a command with the demo's settings file in the place of `--demo`. `serve` has a `--demo` of its
 * own.
 *
 * @throws CommandError if `--config` is given too, or there is no demo
 */
export function replaceDemo(command: AnyCommand, args: readonly string[]): string[] {
  const isOurs = (command.args as Record<string, unknown> | undefined)?.["demo"] === COMMON.demo
  const end = args.includes("--") ? args.indexOf("--") : args.length
  const at = args.slice(0, end).indexOf("--demo")
  if (!isOurs || at === -1) return [...args]
  if (args.slice(0, end).some((arg) => /^--config(=|$)/.test(arg))) {
    throw new CommandError("--demo has its own settings: leave --config out", 2)
  }
  if (!existsSync(toDemoFile())) {
    throw new CommandError("there is no demo yet: start it with majordomo-gateway serve --demo")
  }
  return args.toSpliced(at, 1, "--config", toDemoFile())
}
