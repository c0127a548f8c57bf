/**
 * Flags of node for short processes with the embedded database: its WebAssembly runs as V8's first compiler translates it.
 * The second compiler takes more time than it saves in the seconds that a test takes.
 */
export const FAST_START = ["--liftoff-only"]
