import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { sign } from "../../src/notifications/channels/signature.ts"
import { readBlocks } from "./_page.ts"

const NOW = Date.parse("2026-11-28T10:00:00Z")
const SECRET = "0123456789abcdef"
const BODY = '{"title":"Übung"}'

/** The cases of both snippets: a genuine message, and those that a receiver must reject. */
const CASES = [
  [SECRET, sign(SECRET, BODY, NOW), BODY, true],
  [SECRET, sign(SECRET, BODY, NOW - 400_000), BODY, false],
  [SECRET, sign(SECRET, BODY, NOW + 400_000), BODY, false],
  [SECRET, sign(SECRET, BODY, NOW).replace("t=", "t=99999999999999999999"), BODY, false],
  [SECRET, `${sign(SECRET, BODY, NOW)},v1=00`, BODY, false],
  [SECRET, sign("another secret of theirs", BODY, NOW), BODY, false],
  [SECRET, sign(SECRET, BODY, NOW), `${BODY} `, false],
  [SECRET, "t=1,v1=00", BODY, false],
  [SECRET, "", BODY, false],
] as const

const snippet = (language: string) => readBlocks("notifications.md").find((block) => block.language === language)!.text
const EXPECTED = CASES.map(([, , , isGenuine]) => isGenuine)

test("the snippet for Node accepts genuine messages only", async () => {
  const { isGenuine } = await import(`data:text/javascript,${encodeURIComponent(snippet("js"))}`)
  expect(CASES.map(([secret, signature, body]) => isGenuine(secret, signature, body, NOW))).toEqual(EXPECTED)
})

const hasPython = spawnSync("python3", ["--version"]).status === 0

test.skipIf(!hasPython)("the snippet for Python accepts genuine messages only", () => {
  const check = `
import json, sys
cases = json.load(sys.stdin)
print(json.dumps([is_genuine(s, g, b.encode(), ${NOW / 1000}) for s, g, b, _ in cases]))`
  const { stdout, stderr } = spawnSync("python3", ["-c", snippet("python") + check], { input: JSON.stringify(CASES) })
  expect(stderr.toString()).toBe("")
  expect(JSON.parse(stdout.toString())).toEqual(EXPECTED)
})

test.skipIf(!process.env["DOCS_GO"])("the snippet for Go accepts genuine messages only", () => {
  const dir = mkdtempSync(join(tmpdir(), "mdm-snippet-go-"))
  const check = `package majordomo
import ("encoding/json"; "os"; "testing"; "time")
func TestCases(t *testing.T) {
	var cases [][]any
	file, _ := os.ReadFile("cases.json")
	json.Unmarshal(file, &cases)
	for i, c := range cases {
		if got := IsGenuine(c[0].(string), c[1].(string), []byte(c[2].(string)), time.UnixMilli(${NOW})); got != c[3].(bool) {
			t.Errorf("case %d: %v", i, got)
		}
	}
}`
  try {
    writeFileSync(join(dir, "go.mod"), "module majordomo\n\ngo 1.20\n")
    writeFileSync(join(dir, "majordomo.go"), snippet("go"))
    writeFileSync(join(dir, "majordomo_test.go"), check)
    writeFileSync(join(dir, "cases.json"), JSON.stringify(CASES))
    const { status, stdout, stderr } = spawnSync("go", ["test", "./..."], { cwd: dir })
    expect([status, `${stdout}${stderr}`]).toEqual([0, expect.stringContaining("ok")])
  } finally {
    rmSync(dir, { recursive: true })
  }
})
