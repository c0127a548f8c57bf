import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createInstallation, type Installation } from "../support/gateway.ts"

const BIN = fileURLToPath(new URL("../../bin/majordomo.mjs", import.meta.url))

let home: Installation
/** A directory with the program, for PATH, and with one file. */
let dir: string
beforeAll(() => {
  home = createInstallation({})
  dir = mkdtempSync(join(tmpdir(), "majordomo-completion-"))
  symlinkSync(BIN, join(dir, "majordomo-gateway"))
  writeFileSync(join(dir, "settings.yaml"), "")
})
afterAll(async () => {
  rmSync(dir, { recursive: true })
  await home.remove()
})

const ask = async (...words: string[]) => {
  const { code, stdout, stderr } = await home.run(["__complete", ...words])
  expect([code, stderr]).toEqual([0, ""])
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split("\t")[0]!)
}

describe("what may come next", () => {
  test.each([
    [["he"], ["health", "help"]],
    [
      ["keys", ""],
      ["create", "list", "get", "update", "rotate", "revoke"],
    ],
    [
      ["help", "keys", "r"],
      ["rotate", "revoke"],
    ],
    [["usage", "--bo"], []],
    [["usage", "export", "--bo"], ["--bodies"]],
    [["keys", "create", "--name", "x", "--na"], []],
    [["keys", "create", "--metadata", "a=b", "--metad"], ["--metadata"]],
    [
      ["serve", "--log-format", ""],
      ["text", "json"],
    ],
    [["serve", "--log-format", "j"], ["json"]],
    [["completion", "f"], ["fish"]],
    [["serve", "--config", "x"], [":files"]],
    [["nothing", ""], []],
  ] as const)("%j", async (words, expected) => {
    expect(await ask(...words)).toEqual(expected)
  })

  test("a command that is also a group: its commands, and its options after a dash", async () => {
    expect(await ask("usage", "")).toContain("what-if")
    expect(await ask("usage", "--")).toEqual(expect.arrayContaining(["--by", "--since", "--help"]))
  })
})

describe("the script of each shell", () => {
  const has = (shell: string) => spawnSync(shell, ["-c", "true"]).status === 0

  /** Runs a shell with the program in its PATH, and returns the lines that it prints. */
  async function runShell(shell: string, lines: readonly string[], before: readonly string[] = []): Promise<string[]> {
    const { stdout: script } = await home.run(["completion", shell])
    const { stdout, stderr } = spawnSync(shell, ["-c", [...before, script, ...lines].join("\n")], {
      cwd: dir,
      env: { ...process.env, HOME: dir, PATH: `${dir}:${process.env["PATH"]}` },
      encoding: "utf8",
    })
    expect(stderr).toBe("")
    return stdout.split("\n").filter(Boolean)
  }

  test.skipIf(!has("bash"))("bash (skipped where it is missing)", async () => {
    const asked = (...words: string[]) => [
      `COMP_WORDS=(${["majordomo-gateway", ...words].map((word) => `'${word}'`).join(" ")})`,
      `COMP_CWORD=${words.length}`,
      "_majordomo_gateway",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the shell
      'printf "%s\\n" "${COMPREPLY[@]}"',
    ]
    expect(await runShell("bash", asked("keys", "cr"))).toEqual(["create"])
    expect(await runShell("bash", asked("serve", "--config", "sett"))).toEqual(["settings.yaml"])
    expect(await runShell("bash", ["complete -p majordomo"])).toEqual(["complete -F _majordomo_gateway majordomo"])
  })

  test.skipIf(!has("zsh"))("zsh (skipped where it is missing)", async () => {
    // The functions of zsh's completion, which only an interactive shell has.
    const stubs = ["function compdef { }", "function _files { print files }"]
    const run = (...words: string[]) =>
      runShell(
        "zsh",
        [
          // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the shell
          'function _describe { print -l -- "${(@P)2}" }',
          `words=(${["majordomo-gateway", ...words].map((word) => `'${word}'`).join(" ")})`,
          `CURRENT=${words.length + 1}`,
          "_majordomo_gateway",
        ],
        stubs,
      )
    expect(await run("keys", "cr")).toEqual(["create:create a key and show it once"])
    expect(await run("serve", "--config", "s")).toEqual(["files"])
  })

  test.skipIf(!has("fish"))("fish (skipped where it is missing)", async () => {
    expect(await runShell("fish", ['complete -C "majordomo-gateway keys cr"'])).toEqual([
      "create\tcreate a key and show it once",
    ])
    expect(await runShell("fish", ['complete -C "majordomo-gateway serve --config sett"'])).toEqual(["settings.yaml"])
  })

  test("another shell is named with those that there are", async () => {
    const { code, stderr } = await home.run(["completion", "tcsh"])
    expect([code, stderr]).toEqual([2, "error: SHELL is one of bash, zsh, fish\n"])
  })
})
