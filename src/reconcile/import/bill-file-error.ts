/**
 * A file of a bill could not be read. The message says in whole sentences what is wrong, where (line and column), and what
 * to do. It is safe to show: of the file it contains the names of columns and the cell that is wrong.
 */
export class BillFileError extends Error {
  override readonly name = "BillFileError"
}
