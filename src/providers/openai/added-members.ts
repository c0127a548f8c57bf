/**
 * The members that the gateway adds to the usage object of the provider. Stored rows have them, so their names stay:
 * - `service_tier`: the tier that served the request, which the answer states beside its usage
 * - `server_tool_calls`: how often each server tool ran, by the type of its items
 * - `billed_beside`: `region`, `code_containers`, `image_generation` (model and usage of the image tool), `pieces` and
 *   `kinds` (what is billed by the piece, as `Units` and `UnitKinds`; earlier versions had `images`), `web_search_tool`
 *   (where searches ran with the older tool), `missing` (what was billed and is not stated)
 * - `estimated_from_text`: tokens that the gateway counted itself
 */
export const ADDED_MEMBERS = ["service_tier", "server_tool_calls", "billed_beside", "estimated_from_text"] as const

/**
 * Members that only the gateway may write. A provider's own members of these names are removed before they are misread.
 */
export const RESERVED_MEMBERS = ["server_tool_calls", "billed_beside", "estimated_from_text", "sums"] as const
