const HEAD_END = Buffer.from("\r\n\r\n")
const MAX_FIELD_BYTES = 1024
/** No request to these APIs has more parts. */
const MAX_PARTS = 512

/**
 * Returns short text fields of a `multipart/form-data` body, by name. Files are skipped, not read.
 *
 * @param repeated gets the names that occur more than once
 * @param maxBytes a longer field is passed over
 */
export function readFormFields(
  contentType: string,
  body: Buffer,
  names: readonly string[],
  repeated?: Set<string>,
  maxBytes = MAX_FIELD_BYTES,
): Record<string, string> {
  const fields: Record<string, string> = {}
  const seen = new Set<string>()
  const match = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType)
  const boundary = match?.[1] ?? match?.[2]
  if (!boundary) return fields
  const delimiter = Buffer.from(`--${boundary}`)
  let part = body.indexOf(delimiter)
  for (let count = 0; part >= 0 && count < MAX_PARTS; count++) {
    const headEnd = body.indexOf(HEAD_END, part)
    if (headEnd < 0) break
    const next = body.indexOf(delimiter, headEnd)
    if (headEnd - part < 8192) {
      const found = /\bname=(?:"([^"]*)"|([^\s;"]+))/i.exec(body.toString("latin1", part, headEnd))
      const name = found?.[1] ?? found?.[2]
      if (name !== undefined && names.includes(name)) {
        if (seen.has(name)) repeated?.add(name)
        seen.add(name)
      }
      const end = next < 0 ? body.length : next - 2
      const start = headEnd + HEAD_END.length
      if (name !== undefined && names.includes(name) && end - start <= maxBytes && end > start) {
        fields[name] = body.toString("utf8", start, end)
      }
    }
    part = next
  }
  return fields
}
