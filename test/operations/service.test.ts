import { execFileSync, spawnSync } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type ServiceOptions, toServiceDefinition } from "../../src/operations/service/definition.ts"
import { installService } from "../../src/operations/service/install.ts"

let home: string
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "mdm-service-"))
})
afterAll(() => rmSync(home, { recursive: true }))

const define = (more: Partial<ServiceOptions> = {}) =>
  toServiceDefinition({
    manager: "systemd",
    scope: "system",
    program: [process.execPath, "/usr/bin/env"],
    configFile: undefined,
    homeDir: home,
    shutdownTimeoutMs: 30_000,
    ...more,
  })

/** Reads a unit as systemd does: sections of `Name=value` lines. */
function parseUnit(text: string): Record<string, Record<string, string>> {
  const unit: Record<string, Record<string, string>> = {}
  let section: Record<string, string> = {}
  for (const line of text.split("\n").filter((each) => each !== "" && !each.startsWith("#"))) {
    const name = /^\[(\w+)\]$/.exec(line)?.[1]
    if (name !== undefined) unit[name] = section = {}
    else section[line.slice(0, line.indexOf("="))] = line.slice(line.indexOf("=") + 1)
  }
  return unit
}

const hasAnalyze = spawnSync("systemd-analyze", ["--version"]).status === 0

describe("[O4] the systemd unit", () => {
  it("signals the first process alone, never gives up, and waits longer than the gateway does", () => {
    const { Unit, Service } = parseUnit(define({ shutdownTimeoutMs: 90_000 }).content)
    expect(Unit).toMatchObject({ StartLimitIntervalSec: "0" })
    expect(Service).toMatchObject({
      ExecStart: `${process.execPath} /usr/bin/env serve`,
      KillMode: "mixed",
      Restart: "always",
      TimeoutStopSec: "105",
      StateDirectory: "majordomo",
      EnvironmentFile: "-/etc/majordomo/gateway.env",
      DynamicUser: "yes",
      Environment: expect.stringContaining("MAJORDOMO_SERVER_CREATE_FIRST_KEY=false"),
    })
    const { Service: own } = parseUnit(define({ scope: "user" }).content)
    expect(own).toMatchObject({ Environment: "MAJORDOMO_SERVER_CREATE_FIRST_KEY=false" })
  })

  it("quotes paths with spaces and specifiers", () => {
    const { Service } = parseUnit(define({ configFile: '/etc/my "100%"/$x.yaml' }).content)
    expect(Service!["ExecStart"]).toMatch(/serve --config "\/etc\/my \\"100%%\\"\/\$\$x\.yaml"$/)
  })

  it("a parser that does not know our text reads each word of ExecStart back as it was", () => {
    const words = ["/opt/my apps/100%/node", "/opt/$HOME/no\"de\\x; 'y'/x.mjs", "/etc/a b.yaml"] as const
    const unit = define({ program: [words[0], words[1]], configFile: words[2], homeDir: "/home/a 50%", scope: "user" })
    const python = `import configparser,json,shlex,sys
parser = configparser.ConfigParser(interpolation=None, strict=True)
parser.optionxform = str
parser.read_string(sys.stdin.read())
service = parser["Service"]
words = [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(service["ExecStart"])]
print(json.dumps([words, service["EnvironmentFile"], service["Restart"], parser["Unit"]["StartLimitIntervalSec"]]))`
    expect(JSON.parse(execFileSync("python3", ["-c", python], { input: unit.content, encoding: "utf8" }))).toEqual([
      [words[0], words[1], "serve", "--config", words[2]],
      "-/home/a 50%%/.config/majordomo/gateway.env",
      "always",
      "0",
    ])
  })

  it.runIf(hasAnalyze).each(["system", "user"] as const)("is accepted by systemd-analyze verify: %s", (scope) => {
    const unit = join(home, `majordomo-gateway-${scope}.service`)
    writeFileSync(unit, define({ scope }).content)
    const { stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", unit], { encoding: "utf8" })
    expect(stderr.split("\n").filter((line) => line.includes("majordomo-gateway"))).toEqual([])
  })
})

it("[O4] the plist of launchd is valid XML with the program, and restarts it", () => {
  const { content, next } = define({ manager: "launchd", scope: "user", configFile: "/a & b.yaml" })
  expect(content).toContain("<string>serve</string><string>--config</string><string>/a &amp; b.yaml</string>")
  expect(content).toContain("<key>KeepAlive</key><true/>")
  expect(content).toContain("<key>ExitTimeOut</key><integer>45</integer>")
  expect(next).toBe(`launchctl bootstrap gui/$(id -u) "${home}/Library/LaunchAgents/com.majordomo.gateway.plist"`)
  const spaced = define({ manager: "launchd", scope: "user", homeDir: "/Users/a b" })
  expect(spaced.next).toBe(`launchctl bootstrap gui/$(id -u) "${spaced.path}"`)
  const python = "import plistlib,sys; print(plistlib.loads(sys.stdin.buffer.read())['ProgramArguments'][2])"
  expect(execFileSync("python3", ["-c", python], { input: content, encoding: "utf8" })).toBe("serve\n")
})

it("[O4] install writes the unit, creates files for settings and secrets, and leaves existing ones alone", () => {
  const options = {
    manager: "systemd",
    scope: "user",
    homeDir: home,
    shutdownTimeoutMs: 1,
    configFile: undefined,
  } as const
  const first = installService({ ...options, program: ["/usr/bin/node", "/opt/x.mjs"] })
  const secrets = join(home, ".config/majordomo/gateway.env")
  expect(first.written).toEqual([
    join(home, ".config/majordomo/majordomo.yaml"),
    secrets,
    join(home, ".config/systemd/user/majordomo-gateway.service"),
  ])
  expect(statSync(secrets).mode & 0o777).toBe(0o600)
  writeFileSync(secrets, "A=1\n")
  expect(installService({ ...options, program: ["/usr/bin/node", "/opt/y.mjs"] }).written).toHaveLength(1)
  expect(readFileSync(secrets, "utf8")).toBe("A=1\n")
  expect(first.next).toContain("systemctl --user daemon-reload")
})

it("[O4] a copy that npx has fetched is not installed as a service", () => {
  expect(() => define({ program: ["/usr/bin/node", "/root/.npm/_npx/1/x.mjs"] })).toThrow(/npm install --global/)
})

it("[O4] a program or a settings file that the service's own user could not read is not installed", () => {
  const closed = join(home, "closed")
  mkdirSync(join(closed, "bin"), { recursive: true })
  chmodSync(home, 0o755)
  chmodSync(closed, 0o700)
  const program = join(closed, "bin", "x.mjs")
  writeFileSync(program, "")
  const install = (more: Partial<ServiceOptions>) => () =>
    installService({
      manager: "systemd",
      scope: "system",
      program: ["/usr/bin/env", "/usr/bin/env"],
      configFile: undefined,
      homeDir: home,
      shutdownTimeoutMs: 1,
      ...more,
    })
  expect(install({ program: ["/usr/bin/env", program] })).toThrow(`the service cannot read ${program}`)
  expect(install({ program: [program, "/usr/bin/env"] })).toThrow(`${closed} is closed to other users: install Node.js`)
  expect(install({ configFile: program })).toThrow(`${closed} is closed to other users: move it`)
  expect(install({ scope: "user", program: [program, program], configFile: program })()).toHaveProperty("written")
})
