// The provider, as a process of its own. Tells its port by IPC. Arguments: the script of every answer, in JSON.
import { startFarSide } from "../test/support/far-side.ts"

const farSide = await startFarSide({ record: false })
farSide.always(JSON.parse(process.argv[2] ?? "{}"))
process.send?.({ port: farSide.port })
process.once("disconnect", () => process.exit(0))
