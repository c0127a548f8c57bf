// Runs the fake provider as a separate process. Sends its port by IPC. The argument is the script of every response, in JSON.
import { startFakeProvider } from "../test/support/fake-provider.ts"

const fakeProvider = await startFakeProvider({ record: false })
fakeProvider.always(JSON.parse(process.argv[2] ?? "{}"))
process.send?.({ port: fakeProvider.port })
process.once("disconnect", () => process.exit(0))
