import { register } from "node:module"

// node 20 cannot run TypeScript. `node --import ./bench/_typescript.mjs FILE` runs it with the TypeScript compiler.
register("./_typescript-hook.mjs", import.meta.url)
