import { join } from "node:path"
import { createBucketPlace } from "../../archive/bucket.ts"
import { openDirectory } from "../../archive/directory.ts"
import type { Place } from "../../archive/place.ts"
import { openObjects } from "../../bodies/s3/objects.ts"
import type { Settings } from "../../config/settings.ts"
import { CommandError } from "../../core/errors.ts"

/** The file by which a place knows its database. Engines leave out names that begin with an underscore. */
const OWNER = "_majordomo.json"

/** Returns where the archive is. @throws CommandError if no setting says it */
export function requirePlace({ archive }: Settings): string {
  if (archive.to !== undefined) return archive.to
  throw new CommandError("archive.to: say where the archive is: a directory, or s3://BUCKET/PREFIX (or give --to)")
}

/**
 * Opens the place of an archive, which belongs to one database.
 *
 * @throws CommandError if it cannot be reached, or has the archive of another database
 */
export async function openPlace(title: string, settings: Settings, archiveId: string): Promise<Place> {
  const place = await open(title, settings)
  try {
    const text = await place.readText(OWNER)
    if (text === undefined) await place.writeText(OWNER, `${JSON.stringify({ archive: archiveId })}\n`)
    else if (readOwner(text) !== archiveId) {
      throw new CommandError(
        `${title} has the archive of another database, whose files would be written over: choose another place; or delete ${OWNER} there if this database is a copy of that one`,
      )
    }
    return place
  } catch (error) {
    place.close()
    throw error
  }
}

async function open(title: string, settings: Settings): Promise<Place> {
  const [, bucket, prefix = ""] = /^s3:\/\/([^/]+)(?:\/(.*?))?\/*$/.exec(title) ?? []
  if (bucket === undefined) return openDirectory(title)
  const { region, endpoint, accessKeyId, secretAccessKey, proxies } = settings.s3
  const objects = await openObjects({ bucket, region, endpoint, accessKeyId, secretAccessKey, proxies })
  return createBucketPlace(title, prefix, objects, join(settings.storage.dataDir, "archive"))
}

function readOwner(text: string): unknown {
  try {
    return (JSON.parse(text) as { archive?: unknown }).archive
  } catch {
    return undefined
  }
}
