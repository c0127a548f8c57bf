import { CommandError } from "../../core/errors.ts"

/**
 * A bill could not be read from a file. The message says in whole sentences what is wrong, where (line and column), and what to
 * do. It is safe to show: of the file it contains the names of columns and services and the cell that is wrong.
 */
export class BillFileError extends CommandError {}
