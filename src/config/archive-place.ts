import { INVALID, path, type ValueParser } from "./value-parsers.ts"

/** A directory, or a bucket of S3 with a prefix. A trailing slash is removed. */
export const archivePlace: ValueParser<string, ""> = {
  unit: "",
  expected: "a directory, or s3://BUCKET/PREFIX",
  parse: (raw, dir) => {
    if (typeof raw !== "string" || !raw.startsWith("s3:")) return path.parse(raw, dir)
    return /^s3:\/\/[a-z0-9][a-z0-9.-]+(?:\/[^\s?#]*)?$/.test(raw) ? raw.replace(/\/+$/, "") : INVALID
  },
}
