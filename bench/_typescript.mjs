import { register } from "node:module"

// Node 20 cannot run TypeScript. `node --import ./bench/_typescript.mjs FILE` runs it with the TypeScript compiler there.
if (!process.features.typescript) register("./_typescript-hook.mjs", import.meta.url)
