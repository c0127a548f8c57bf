import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { expect, onTestFinished, test } from "vitest"
import { openBucket } from "../../src/bodies/s3/client.ts"
import { toFailure } from "../../src/bodies/s3/failure.ts"
import { until } from "../support/until.ts"

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function setVariable(name: string, value: string): void {
  const before = process.env[name]
  process.env[name] = value
  onTestFinished(() => {
    if (before === undefined) delete process.env[name]
    else process.env[name] = before
  })
}

test("[S3F-05] credentials that are rotated are used for the next object; until then, its failure says that they have expired", async () => {
  let issued = 1
  const issuer = createServer((_, response) => {
    response.setHeader("content-type", "application/json").end(
      JSON.stringify({
        AccessKeyId: `AKIA${issued}`,
        SecretAccessKey: "secret",
        Token: "token",
        Expiration: new Date(Date.now() + 60_000).toISOString(), // so soon that the SDK renews them at once
      }),
    )
  })
  let accepted = 1
  const signers: string[] = []
  const s3 = createServer((request, response) => {
    const signer = /Credential=AKIA(\d+)\//.exec(request.headers.authorization ?? "")?.[1] ?? "none"
    signers.push(signer)
    request.resume().on("end", () => {
      if (signer === String(accepted)) return void response.writeHead(200).end()
      const error = '<?xml version="1.0"?><Error><Code>ExpiredToken</Code><Message>expired</Message></Error>'
      response.writeHead(400, { "content-type": "application/xml" }).end(error)
    })
  })
  setVariable("AWS_CONTAINER_CREDENTIALS_FULL_URI", await listen(issuer))
  setVariable("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
  setVariable("AWS_CONFIG_FILE", "/dev/null")
  const keys = { accessKeyId: undefined, secretAccessKey: undefined }
  const bucket = await openBucket({ bucket: "b", region: "r", endpoint: await listen(s3), ...keys }, 60_000)
  onTestFinished(() => bucket.close())
  const put = () => bucket.put("key", Buffer.from("x"))

  await put()
  accepted = 2
  expect(await put().catch((error: unknown) => toFailure(error).text)).toBe("the credentials have expired")
  issued = 2
  await until(put) // the SDK renews them in the background
  expect(signers.at(-1)).toBe("2")
})
