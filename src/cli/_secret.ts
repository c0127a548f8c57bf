import { text } from "node:stream/consumers"

/** Reads a secret: from the terminal, without showing it, or else all of stdin. Returns it without white space around it. */
export async function readSecret(question: string): Promise<string> {
  const { stdin, stderr } = process
  if (!stdin.isTTY) return (await text(stdin)).trim()
  stderr.write(question)
  stdin.setRawMode(true).resume().setEncoding("utf8")
  try {
    return await readLine()
  } finally {
    stdin.setRawMode(false).pause()
    stderr.write("\n")
  }
}

function readLine(): Promise<string> {
  return new Promise((resolve) => {
    let line = ""
    const onData = (piece: string) => {
      for (const char of piece) {
        if (char === "\u0003") process.exit(130)
        if (char === "\r" || char === "\n" || char === "\u0004") {
          process.stdin.off("data", onData)
          return resolve(line.trim())
        }
        line = char === "\u007f" || char === "\b" ? line.slice(0, -1) : line + char
      }
    }
    process.stdin.on("data", onData)
  })
}
