/** The length of sound that is sent as base64, without decoding it. */

/** Bytes per second of mono sound by its format, in the words of OpenAI's APIs, old and new. */
const BYTES_PER_SECOND: readonly (readonly [RegExp, number])[] = [[/g711|pcmu|pcma/i, 8000]]
/** 16-bit samples at 24 kHz: the default of OpenAI's Realtime API, and what Gemini's Live API answers. */
const PCM_24_KHZ = 48_000

/** Returns the bytes per second of a format such as `pcm16` or `audio/pcmu`; undefined: the default. */
export function bytesPerSecond(format: string | undefined): number {
  return BYTES_PER_SECOND.find(([names]) => format !== undefined && names.test(format))?.[1] ?? PCM_24_KHZ
}

/** Returns how many bytes a base64 text of this length stands for. */
export function decodedBytes(base64Length: number): number {
  return Math.floor((base64Length * 3) / 4)
}
