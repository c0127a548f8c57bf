/** The most tokens that a model reads and writes. undefined: not known. */
export interface ModelBounds {
  /** The context window, which also limits the input. */
  readonly context: number | undefined
  readonly output: number | undefined
}
