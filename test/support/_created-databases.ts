/** Drops what the current test file has created. It has no imports, because every test file loads it. */
export const created: { drop: (() => Promise<void>) | undefined } = { drop: undefined }
