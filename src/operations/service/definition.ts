import { CommandError } from "../../core/errors.ts"

/** What a service manager must know to run the gateway. Paths are absolute. */
export interface ServiceOptions {
  readonly manager: "systemd" | "launchd"
  /** `system`: for the machine, installed by root. `user`: for one user, while that user may run services. */
  readonly scope: "system" | "user"
  /** The node program and the script that it runs. */
  readonly program: readonly [node: string, script: string]
  /** The settings file of `serve --config`. */
  readonly configFile: string | undefined
  readonly homeDir: string
  /** `server.shutdown_timeout`. */
  readonly shutdownTimeoutMs: number
}

/** A file that describes the service, with what comes after it. */
interface ServiceDefinition {
  readonly path: string
  readonly content: string
  /** The directory of the settings file, and of the file with secrets. */
  readonly settingsDir: string
  /** The command that starts the service. */
  readonly next: string
}

/** After the running requests, the last rows are written. */
const EXIT_GRACE_S = 15
const NAME = "majordomo-gateway"
const LABEL = "com.majordomo.gateway"

export function toServiceDefinition(options: ServiceOptions): ServiceDefinition {
  if (options.program[1].includes("/_npx/")) {
    throw new CommandError("npx deletes its copy of the program some day: npm install --global majordomo-gateway first")
  }
  return options.manager === "systemd" ? toSystemd(options) : toLaunchd(options)
}

function toStopSeconds({ shutdownTimeoutMs }: ServiceOptions): number {
  return Math.ceil(shutdownTimeoutMs / 1000) + EXIT_GRACE_S
}

function toCommand({ program, configFile }: ServiceOptions): string[] {
  return [...program, "serve", ...(configFile === undefined ? [] : ["--config", configFile])]
}

/** The log of a service is stored, and a first key would stay in it. */
const NO_FIRST_KEY = "MAJORDOMO_SERVER_CREATE_FIRST_KEY=false"

/** https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html */
const HARDENING = `# The gateway writes only to its state directory. Node compiles code at run time, so MemoryDenyWriteExecute must stay off.
DynamicUser=yes
User=majordomo
StateDirectory=majordomo
StateDirectoryMode=0700
Environment=MAJORDOMO_STORAGE_DATA_DIR=%S/majordomo HOME=%S/majordomo ${NO_FIRST_KEY}
UMask=0077
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native`

function toSystemd(options: ServiceOptions): ServiceDefinition {
  const isSystem = options.scope === "system"
  const settingsDir = isSystem ? "/etc/majordomo" : `${options.homeDir}/.config/majordomo`
  const path = isSystem
    ? `/etc/systemd/system/${NAME}.service`
    : `${options.homeDir}/.config/systemd/user/${NAME}.service`
  const content = `[Unit]
Description=majordomo-gateway, a gateway for LLM providers
Wants=network-online.target
After=network-online.target postgresql.service
# It is restarted however often it fails, because its database may be away for long.
StartLimitIntervalSec=0

[Service]
ExecStart=${toCommand(options).map(quoteForSystemd).join(" ")}
WorkingDirectory=${isSystem ? "/" : `-${settingsDir.replaceAll("%", "%%")}`}
# Secrets, as NAME=value: mode 0600, because commands and logs do not show it.
EnvironmentFile=-${settingsDir.replaceAll("%", "%%")}/gateway.env
Restart=always
RestartSec=2
# The signal goes to the first process, which lets its workers finish; at the end, all that is left is killed.
KillMode=mixed
TimeoutStopSec=${toStopSeconds(options)}
LimitNOFILE=65536
${isSystem ? `${HARDENING}\n` : `Environment=${NO_FIRST_KEY}\nUMask=0077\nNoNewPrivileges=yes\n`}
[Install]
WantedBy=${isSystem ? "multi-user.target" : "default.target"}
`
  const systemctl = isSystem ? "systemctl" : "systemctl --user"
  const linger = isSystem ? "" : " && loginctl enable-linger"
  return {
    path,
    content,
    settingsDir,
    next: `${systemctl} daemon-reload && ${systemctl} enable --now ${NAME}${linger}`,
  }
}

/** https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html#Command%20lines */
function quoteForSystemd(word: string): string {
  const escaped = word.replaceAll("%", "%%").replaceAll("$", "$$$$").replaceAll("\\", "\\\\").replaceAll('"', '\\"')
  return /^[\w@%+=:,./-]+$/.test(escaped) ? escaped : `"${escaped}"`
}

/** https://developer.apple.com/library/archive/documentation/MacOSX/Conceptual/BPSystemStartup/Chapters/CreatingLaunchdJobs.html */
function toLaunchd(options: ServiceOptions): ServiceDefinition {
  const isSystem = options.scope === "system"
  const settingsDir = isSystem ? "/etc/majordomo" : `${options.homeDir}/.config/majordomo`
  const path = isSystem
    ? `/Library/LaunchDaemons/${LABEL}.plist`
    : `${options.homeDir}/Library/LaunchAgents/${LABEL}.plist`
  const dataDir = isSystem ? "/var/lib/majordomo" : `${options.homeDir}/.majordomo`
  const log = isSystem ? `/var/log/${NAME}.log` : `${options.homeDir}/Library/Logs/${NAME}.log`
  const text = (value: string) => `<string>${escapeXml(value)}</string>`
  const content = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>${text(LABEL)}
  <key>ProgramArguments</key>
  <array>${toCommand(options).map(text).join("")}</array>
  <key>EnvironmentVariables</key>
  <dict>
    <key>MAJORDOMO_STORAGE_DATA_DIR</key>${text(dataDir)}
    <key>MAJORDOMO_SERVER_CREATE_FIRST_KEY</key>${text("false")}
  </dict>
  <key>WorkingDirectory</key>${text(settingsDir)}
  <key>RunAtLoad</key><true/>
  <key>KeepAlive</key><true/>
  <key>ExitTimeOut</key><integer>${toStopSeconds(options)}</integer>
  <key>Umask</key><integer>63</integer>
  <key>StandardOutPath</key>${text(log)}
  <key>StandardErrorPath</key>${text(log)}
</dict>
</plist>
`
  return { path, content, settingsDir, next: `launchctl bootstrap ${isSystem ? "system" : "gui/$(id -u)"} "${path}"` }
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
}
