import type { Edit, LargeBody } from "../core/call.ts"
import { GatewayError } from "../core/errors.ts"
import { FormOutline } from "../kit/form-outline.ts"
import { contentStart } from "../kit/json/members.ts"
import { JsonOutline } from "../kit/json/outline.ts"
import type { Outline } from "../kit/outline.ts"
import type { SpillDirectory, SpillFile } from "../kit/spill-file.ts"

/** The first bytes of a body, by which the kind of its outline is chosen. */
const BEGINNING_BYTES = 1024
const NO_BYTES = Buffer.alloc(0)
const OPEN_BRACE = 123
const HYPHEN = 45

/** The error of a body that has room neither on the disk nor in memory. */
export function diskFull(): GatewayError {
  return new GatewayError(
    "disk_full",
    "The gateway cannot store this request until it is complete: the disk of its data directory (storage.data_dir) is full or fails. Try again later, or send a smaller request.",
  )
}

/** Writes a large body into a spill file, and its outline into memory. */
export class LargeBodyWriter {
  private readonly file: SpillFile
  private outline: Outline | undefined

  private constructor(file: SpillFile) {
    this.file = file
  }

  /** @throws the error of the disk */
  static async open(spill: SpillDirectory): Promise<LargeBodyWriter> {
    return new LargeBodyWriter(await spill.open())
  }

  /** @throws the error of the disk; then none of these pieces counts as written */
  async write(pieces: readonly Buffer[]): Promise<void> {
    await this.file.write(pieces)
    this.outline ??= createOutline(Buffer.concat(pieces, BEGINNING_BYTES))
    for (const piece of pieces) this.outline.push(piece)
  }

  /** Returns all bytes that were written, for a body that has to stay in memory. @throws the error of the disk */
  takeBack(): Buffer {
    return this.file.read(this.file.length)
  }

  discard(): void {
    this.file.close()
  }

  finish(): LargeBody {
    return new SpilledBody(this.file, this.outline ?? createOutline(NO_BYTES))
  }
}

class SpilledBody implements LargeBody {
  readonly length: number
  readonly outline: Buffer
  private readonly file: SpillFile
  private readonly toOffset: (at: number) => number

  constructor(file: SpillFile, outline: Outline) {
    this.file = file
    this.length = file.length
    this.outline = outline.bytes()
    this.toOffset = (at) => outline.toOffset(at)
  }

  read(maxBytes: number): Buffer {
    return this.file.read(maxBytes)
  }

  async *pieces(edit: Edit | undefined): AsyncGenerator<Buffer> {
    if (edit === undefined) {
      yield* this.file.pieces(0, this.length)
      return
    }
    const start = this.toOffset(edit.start)
    yield* this.file.pieces(0, start)
    yield edit.by
    yield* this.file.pieces(start + edit.end - edit.start, this.length)
  }

  close(): void {
    this.file.close()
  }
}

/**
 * Creates the outline for a body with this beginning. The outline of a JSON object has its members, that of a form the
 * beginning of each part, and that of any other body is empty.
 */
export function createOutline(beginning: Buffer): Outline {
  const first = beginning[contentStart(beginning)]
  if (first === OPEN_BRACE) return new JsonOutline()
  if (first === HYPHEN) return new FormOutline(beginning)
  return EMPTY
}

const EMPTY: Outline = {
  push() {},
  bytes: () => NO_BYTES,
  toOffset: (at) => at,
}
