/**
 * A file cannot be read. The message says in whole sentences what is wrong, where, and what to do. It is safe to show: it contains
 * nothing of the file.
 */
export class FileError extends Error {}
