import { register } from "node:module"

// node 20 cannot run TypeScript: `node --import ./bench/_typescript.mjs FILE` lets it, by the compiler we have anyway.
register("./_typescript-hook.mjs", import.meta.url)
