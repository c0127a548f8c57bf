import type { Edit, LargeBody } from "../core/call.ts"
import { JsonOutline } from "../kit/json-outline.ts"
import type { Shelf, Shelved } from "../kit/shelf.ts"

/** A body on its way into a file. */
export class LargeBodyWriter {
  private readonly shelved: Shelved
  private readonly outline = new JsonOutline()

  private constructor(shelved: Shelved) {
    this.shelved = shelved
  }

  static async open(shelf: Shelf): Promise<LargeBodyWriter> {
    return new LargeBodyWriter(await shelf.open())
  }

  /** @throws what the disk says; then nothing of these pieces counts as written */
  async write(pieces: readonly Buffer[]): Promise<void> {
    await this.shelved.write(pieces)
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
    return new ShelvedBody(this.shelved, this.outline)
  }
}

class ShelvedBody implements LargeBody {
  readonly length: number
  readonly outline: Buffer
  private readonly shelved: Shelved
  private readonly map: JsonOutline

  constructor(shelved: Shelved, outline: JsonOutline) {
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
    yield* this.shelved.pieces(0, this.map.toOffset(edit.start))
    yield edit.by
    yield* this.shelved.pieces(this.map.toOffset(edit.end), this.length)
  }

  close(): void {
    this.shelved.close()
  }
}
