import type { ExportId, ImageId, TaskKey, UserId, VideoId } from "./Ids.ts"

/** Bytes of a `sub`: in base64url it is one name of a file system, which 255 bytes are the most of. */
export const MAX_USER_BYTES = 190

/**
 * Names of objects. A user's part is the base64url of the `sub`, so that no token can climb out of its folder or meet
 * another's. Sources and exports are owned; `cache/` may be evicted whenever no live plan needs it.
 */
const tenant = (user: UserId): string => {
  let binary = ""
  for (const byte of new TextEncoder().encode(user)) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")
}

export const sourceFolder = (user: UserId, video: VideoId): string => `sources/${tenant(user)}/${video}/`
export const sourceMedia = (user: UserId, video: VideoId): string => `${sourceFolder(user, video)}media`
export const sourceIndex = (user: UserId, video: VideoId): string => `${sourceFolder(user, video)}index.json`
export const sourcePoster = (user: UserId, video: VideoId): string => `${sourceFolder(user, video)}poster.jpg`

export const imageFolder = (user: UserId, image: ImageId): string => `images/${tenant(user)}/${image}/`
export const imageFile = (user: UserId, image: ImageId): string => `${imageFolder(user, image)}image.png`
/** What somebody brought, until it has been made an image of ours. */
export const imageUpload = (user: UserId, image: ImageId): string => `${imageFolder(user, image)}given`

export const taskFolder = (user: UserId, key: TaskKey): string => `cache/${tenant(user)}/${key}/`
/** The task is done when this exists. */
export const taskManifest = (user: UserId, key: TaskKey): string => `${taskFolder(user, key)}manifest.json`
/**
 * Each worker writes under a name of its own (`unique`); the manifest says which one holds. No folder for each of them: to
 * make one and have it on the disk costs as much as to do so with the file.
 */
export const taskFile = (user: UserId, key: TaskKey, unique: string, file: string): string =>
  `${taskFolder(user, key)}${unique}-${file}`

export const exportFolder = (user: UserId, id: ExportId): string => `exports/${tenant(user)}/${id}/`
/**
 * Outputs are named after the epoch that completed, so that two epochs never write one name. One folder for each export
 * and no more: making one and having it on the disk is most of what a completion costs.
 */
export const exportFile = (user: UserId, id: ExportId, epoch: number, name: string): string =>
  `${exportFolder(user, id)}${epoch}-${name}`

export const planFolder = (user: UserId, id: ExportId): string => `plans/${tenant(user)}/${id}/`
export const planObject = (user: UserId, id: ExportId, epoch: number): string => `${planFolder(user, id)}${epoch}.json`
