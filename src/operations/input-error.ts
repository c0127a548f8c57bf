import { CommandError } from "../core/errors.ts"

/**
 * An input of an operation is not valid. The caller shows the field in the form in which its user wrote it: `cli` shows
 * `--since: …`, an HTTP API may show `since` as a query parameter. Exit code 2.
 */
export class InputError extends CommandError {
  readonly field: string
  /** The expected and the actual value, without the field's name. */
  readonly problem: string

  constructor(field: string, problem: string) {
    super(`${field}: ${problem}`, 2)
    this.field = field
    this.problem = problem
  }
}
