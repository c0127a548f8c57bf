/** Returns a credential as texts contain it: as it is, escaped in JSON or a URL, and within base64 at any position. */
export function toForms(credential: string): string[] {
  const json = JSON.stringify(credential).slice(1, -1)
  const toEscape = (character: string) => `\\u00${character.charCodeAt(0).toString(16)}`
  const escaped = json.replace(/[+=&<>']/g, toEscape)
  return [
    ...new Set([
      credential,
      json,
      json.replaceAll("/", "\\/"),
      escaped,
      escaped.replace(/u00../g, (code) => `u${code.slice(1).toUpperCase()}`),
      encodeURIComponent(credential),
      ...[0, 1, 2].map((before) => toBase64(credential, before)),
    ]),
  ]
}

/** Returns the part of a base64 text that the credential decides alone, if `before` bytes precede it in its group of three. */
function toBase64(credential: string, before: number): string {
  const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(credential)])
  return bytes.toString("base64").slice(Math.ceil((before * 4) / 3), Math.floor((bytes.length * 4) / 3))
}
