import { Schema } from "effect"
import { SecureRandom } from "effect/crypto"
import { Text } from "./Text.ts"

/**
 * Every identifier that crosses a wire or lands in a row, branded here and nowhere else, so that no two strings mean
 * one thing. Entity ids are UUIDv7: they sort by creation, which is what cursors and B-trees want. Another UUID is
 * readable and nobody's; capitals are not, as they would name one thing in Postgres and another in an object's key.
 */
const Uuid = Schema.String.check(Schema.isUUID(), Schema.isLowercased())

export const ExportId = Uuid.pipe(Schema.brand("ExportId"))
export type ExportId = typeof ExportId.Type

export const VideoId = Uuid.pipe(Schema.brand("VideoId"))
export type VideoId = typeof VideoId.Type

export const ImageId = Uuid.pipe(Schema.brand("ImageId"))
export type ImageId = typeof ImageId.Type

export const ProjectId = Uuid.pipe(Schema.brand("ProjectId"))
export type ProjectId = typeof ProjectId.Type

export const ClipId = Uuid.pipe(Schema.brand("ClipId"))
export type ClipId = typeof ClipId.Type

export const AttemptId = Uuid.pipe(Schema.brand("AttemptId"))
export type AttemptId = typeof AttemptId.Type

/** The `sub` of the caller's token: the tenant of every row and object. */
export const UserId = Text.check(Schema.isBetweenLength(1, 255)).pipe(Schema.brand("UserId"))
export type UserId = typeof UserId.Type

/** One running encoder process. It is a token of NATS subjects, hence the alphabet. */
export const NodeId = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{1,64}$/)).pipe(Schema.brand("NodeId"))
export type NodeId = typeof NodeId.Type

/** SHA-256 in lower-case hexadecimal: of a file's bytes. */
export const Digest = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)).pipe(Schema.brand("Digest"))
export type Digest = typeof Digest.Type

/** Content address of a task: the digest of what it makes, for whom, by which compiler and encoder build. */
export const TaskKey = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)).pipe(Schema.brand("TaskKey"))
export type TaskKey = typeof TaskKey.Type

/** A fresh entity id: `newId(ExportId)`. Time comes from the clock, order is kept within a process. */
export const newId = <A>(schema: { make(input: string): A }): A => schema.make(SecureRandom.uuidV7Unsafe())
