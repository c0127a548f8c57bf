/** The numbers of the WebSocket protocol (RFC 6455, sections 5.2 and 7.4.1). */

export const TEXT = 1
export const BINARY = 2
export const CLOSE = 8

/** Values of the length that say that a longer one follows, in 16 or in 64 bits. */
export const LENGTH_OF_16_BITS = 126
export const LENGTH_OF_64_BITS = 127

/** Codes of close frames. */
export const GOING_AWAY = 1001
/** Stands for a close frame without a code, and is never sent. */
export const NO_STATUS = 1005
export const POLICY_VIOLATION = 1008
export const MESSAGE_TOO_BIG = 1009
