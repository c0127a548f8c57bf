import ts from "typescript"

const parsed = new Map<string, ts.SourceFile>()

/** Returns the syntax tree of a file. Several rules look at the same file, so it is parsed once. */
export function parse(path: string, text: string): ts.SourceFile {
  const key = `${path}\n${text}`
  const source = parsed.get(key) ?? ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  parsed.set(key, source)
  return source
}
