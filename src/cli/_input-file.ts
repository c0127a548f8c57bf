import { constants, createReadStream } from "node:fs"
import { access, stat } from "node:fs/promises"
import { CommandError } from "../core/errors.ts"

/** A file that a command reads. */
interface InputFile {
  /** In bytes; 0 for a pipe. */
  readonly size: number
  /** Opens the file when its first piece is read: the command may be rejected before that. */
  readonly pieces: AsyncIterable<Uint8Array>
}

/**
 * @param wanted what the path should lead to, such as "a CSV file"
 * @throws CommandError if the file cannot be read
 */
export async function findInputFile(path: string, wanted: string): Promise<InputFile> {
  const explain = (error: unknown) => {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown"
    return new CommandError(`${path} cannot be read (${code}): give the path of ${wanted}`, 2)
  }

  async function* readPieces(): AsyncGenerator<Uint8Array> {
    try {
      yield* createReadStream(path)
    } catch (error) {
      throw explain(error)
    }
  }

  try {
    await access(path, constants.R_OK)
    const found = await stat(path)
    if (found.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" })
    return { size: found.size, pieces: readPieces() }
  } catch (error) {
    throw explain(error)
  }
}
