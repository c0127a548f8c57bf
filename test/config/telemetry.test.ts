import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { loadSettings } from "../../src/server/settings.ts"

const cwd = mkdtempSync(join(tmpdir(), "mdm-settings-"))
const load = (env: Record<string, string>) => loadSettings({ cwd, env })

test("without settings and variables, nothing is exported or received", async () => {
  const { settings } = await load({})
  expect(settings.telemetry.otlp).toMatchObject({ endpoint: undefined, headers: {}, resource: {} })
  expect(settings.telemetry.receiver.enabled).toBe(false)
})

test("the variables of OpenTelemetry stand for settings, with percent-encoded values", async () => {
  const { settings, sources } = await load({
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318/",
    OTEL_EXPORTER_OTLP_HEADERS: "x-api-key=a%2Cb,authorization=Basic%20eDp5",
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_SERVICE_NAME: "gateway",
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=prod,service.name=other",
  })
  expect(settings.telemetry.otlp).toMatchObject({
    endpoint: "http://collector:4318",
    headers: { "x-api-key": "a,b", authorization: "Basic eDp5" },
    protocol: "http/json",
    resource: { "deployment.environment.name": "prod", "service.name": "gateway" },
  })
  expect(sources["telemetry.otlp.endpoint"]).toBe("OTEL_EXPORTER_OTLP_ENDPOINT")
})

test("an endpoint of the settings does not get the headers of the variables, which belong to another receiver", async () => {
  const { settings } = await load({
    MAJORDOMO_TELEMETRY_OTLP_ENDPOINT: "http://own:4318",
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://other:4318",
    OTEL_EXPORTER_OTLP_HEADERS: "x-api-key=secret",
  })
  expect(settings.telemetry.otlp).toMatchObject({ endpoint: "http://own:4318", headers: {} })
})

test("OTEL_SDK_DISABLED turns off what the variables would turn on", async () => {
  const { settings } = await load({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318", OTEL_SDK_DISABLED: "true" })
  expect(settings.telemetry.otlp.endpoint).toBeUndefined()
})

test("gRPC is not spoken: nothing is exported, with a warning that says what to do", async () => {
  const { settings, warnings } = await load({
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4317",
    OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
  })
  expect(settings.telemetry.otlp.endpoint).toBeUndefined()
  expect(warnings.join()).toContain("set telemetry.otlp.endpoint to send OTLP over HTTP")
})

test("headers that are not valid are named without their values", async () => {
  const env = { MAJORDOMO_TELEMETRY_OTLP_HEADERS: "x-api-key:secret-value" }
  await expect(load(env)).rejects.toThrow("telemetry.otlp.headers")
  await expect(load(env)).rejects.not.toThrow("secret-value")
})
