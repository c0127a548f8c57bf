const ERROR = 0x45
const DATA_ROW = 0x44

/** Rows of text values. Undefined stands for NULL. */
export type Rows = (string | undefined)[][]

/** Parses the rows of a complete response. Throws the backend's error. */
export function parseRows(response: Buffer): Rows {
  const rows: Rows = []
  for (let at = 0; at < response.length; at += 1 + response.readInt32BE(at + 1)) {
    const type = response[at]
    if (type === ERROR) throw new Error(errorText(response, at))
    if (type === DATA_ROW) rows.push(parseRow(response, at))
  }
  return rows
}

function parseRow(response: Buffer, at: number): (string | undefined)[] {
  const row: (string | undefined)[] = []
  let from = at + 7
  for (let column = response.readInt16BE(at + 5); column > 0; column--) {
    const length = response.readInt32BE(from)
    from += 4
    row.push(length < 0 ? undefined : response.toString("utf8", from, from + length))
    from += Math.max(length, 0)
  }
  return row
}

function errorText(response: Buffer, at: number): string {
  const fields = response.toString("utf8", at + 5, at + 1 + response.readInt32BE(at + 1)).split("\0")
  return fields.find((field) => field.startsWith("M"))?.slice(1) ?? "unknown error"
}
