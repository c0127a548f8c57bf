// The provider, as a process of its own. Tells its port by IPC. Arguments: the script of every answer, in JSON.
import { startFakeProvider } from "../test/support/fake-provider.ts"

const fakeProvider = await startFakeProvider({ record: false })
fakeProvider.always(JSON.parse(process.argv[2] ?? "{}"))
process.send?.({ port: fakeProvider.port })
process.once("disconnect", () => process.exit(0))
