import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { makeDirectory } from "../../src/kit/make-directory.ts"

test("makes the missing directories above it, with the same mode, and leaves what exists", () => {
  const root = mkdtempSync(join(tmpdir(), "mdm-make-"))
  makeDirectory(join(root, "a", "b"))
  makeDirectory(join(root, "a", "b"))
  expect(existsSync(join(root, "a", "b"))).toBe(true)
  if (process.platform !== "win32") expect(statSync(join(root, "a")).mode & 0o777).toBe(0o700)
  rmSync(root, { recursive: true })
})

test.skipIf(!existsSync("/proc/self"))("[U17] fails at once on a file system without directories of its own", () => {
  expect(() => makeDirectory("/proc/nope/deeper")).toThrow(/ENOENT/)
})
