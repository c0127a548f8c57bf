import type { Edit, LargeBody } from "../core/call.ts"
import { FormOutline } from "../kit/form-outline.ts"
import { contentStart } from "../kit/json/members.ts"
import { JsonOutline } from "../kit/json/outline.ts"
import type { Outline } from "../kit/outline.ts"
import type { SpillDirectory, SpillFile } from "../kit/spill-file.ts"

const BEGINNING_BYTES = 1024
const NO_BYTES = Buffer.alloc(0)

/** A body on its way into a file. */
export class LargeBodyWriter {
  private readonly shelved: SpillFile
  private outline: Outline | undefined

  private constructor(shelved: SpillFile) {
    this.shelved = shelved
  }

  static async open(shelf: SpillDirectory): Promise<LargeBodyWriter> {
    return new LargeBodyWriter(await shelf.open())
  }

  /** @throws what the disk says; then nothing of these pieces counts as written */
  async write(pieces: readonly Buffer[]): Promise<void> {
    await this.shelved.write(pieces)
    this.outline ??= createOutline(Buffer.concat(pieces, BEGINNING_BYTES))
    for (const piece of pieces) this.outline.push(piece)
  }

  /** What was written, for a body that has to be held after all. */
  takeBack(): Buffer {
    return this.shelved.read(this.shelved.length)
  }

  discard(): void {
    this.shelved.close()
  }

  finish(): LargeBody {
    return new SpilledBody(this.shelved, this.outline ?? createOutline(NO_BYTES))
  }
}

class SpilledBody implements LargeBody {
  readonly length: number
  readonly outline: Buffer
  private readonly shelved: SpillFile
  private readonly map: Outline

  constructor(shelved: SpillFile, outline: Outline) {
    this.shelved = shelved
    this.length = shelved.length
    this.outline = outline.bytes()
    this.map = outline
  }

  read(maxBytes: number): Buffer {
    return this.shelved.read(maxBytes)
  }

  async *pieces(edit: Edit | undefined): AsyncGenerator<Buffer> {
    if (edit === undefined) {
      yield* this.shelved.pieces(0, this.length)
      return
    }
    const start = this.map.toOffset(edit.start)
    yield* this.shelved.pieces(0, start)
    yield edit.by
    yield* this.shelved.pieces(start + edit.end - edit.start, this.length)
  }

  close(): void {
    this.shelved.close()
  }
}

/** The outline of what begins so: of a JSON object its members, of a form the beginning of each part, else nothing. */
export function createOutline(beginning: Buffer): Outline {
  const first = beginning[contentStart(beginning)]
  if (first === 123) return new JsonOutline()
  if (first === 45) return new FormOutline(beginning)
  return NONE
}

const NONE: Outline = {
  push() {},
  bytes: () => NO_BYTES,
  toOffset: (at) => at,
}
