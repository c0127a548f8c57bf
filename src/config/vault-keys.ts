import { INVALID, list, type ValueParser } from "./value-parsers.ts"

/** A key of 32 bytes in base64. */
export const vaultKey: ValueParser<string, ""> = {
  unit: "",
  expected: "32 bytes in base64, as majordomo-gateway vault init makes them",
  parse: (raw) => (typeof raw === "string" && /^[A-Za-z0-9+/_-]{43}=?$/.test(raw) ? raw : INVALID),
}

/** Several keys of 32 bytes in base64. */
export const vaultKeys: ValueParser<readonly string[], ""> = {
  unit: "",
  expected: "a list of keys, each of 32 bytes in base64",
  parse: (raw, dir) => {
    const items = list.parse(raw, dir)
    return items !== INVALID && items.every((item) => vaultKey.parse(item, dir) !== INVALID) ? items : INVALID
  },
}
