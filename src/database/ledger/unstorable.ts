/**
 * Replaces what PostgreSQL cannot store by U+FFFD: U+0000 and lone surrogates, which `JSON.stringify` writes as `\u0000`
 * and `\ud800`…; it writes paired surrogates as they are. A backslash before a backslash is text, not an escape.
 */
export function replaceUnstorable(json: string): string {
  return json.replace(/\\(?:\\|u0000|ud[89a-f][0-9a-f]{2})/g, (found) => (found === "\\\\" ? found : "\ufffd"))
}
