/** A record that cannot be imported. The message says why, and contains nothing of the record but the names of fields. */
export class RecordProblem extends Error {}
