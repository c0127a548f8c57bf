/** Converts a header or metadata name to the form in which it is stored: `user-id` becomes `User-Id`. */
export function toTrainCase(name: string): string {
  return name.toLowerCase().replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => dash + letter.toUpperCase())
}
