import { readFileSync, writeFileSync } from "node:fs"
import ts from "typescript"

/** Writes the type declarations of a module. Its exports have explicit types, so no other file is needed. */
export function writeTypes(source: string, file: string): void {
  const { outputText, diagnostics = [] } = ts.transpileDeclaration(readFileSync(source, "utf8"), {
    fileName: source,
    reportDiagnostics: true,
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  })
  const [first] = diagnostics
  if (first !== undefined) throw new Error(`${source}: ${ts.flattenDiagnosticMessageText(first.messageText, "\n")}`)
  writeFileSync(file, outputText)
}
