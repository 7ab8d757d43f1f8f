import { Schema } from "effect"
import { Crop, Overlay, SpeedSegment, Timing, Transition } from "./Edits.ts"
import { ClipId, ExportId, ProjectId, VideoId } from "./Ids.ts"
import { Count, Instant, Positive } from "./Quantity.ts"
import { Text } from "./Text.ts"

export const Aspect = Schema.Literals(["source", "16:9", "9:16", "1:1", "4:5"])
export type Aspect = typeof Aspect.Type

export const Name = Text.check(Schema.isBetweenLength(1, 255))

export const ClipTiming = Schema.NullOr(Timing)
export const ClipSpeed = Schema.Array(SpeedSegment).check(Schema.isMaxLength(1000))
export const ClipOverlays = Schema.Array(Overlay).check(Schema.isMaxLength(100))

/** A piece of a video in a project. Every change makes the next `version`; earlier ones stay stored. */
export class Clip extends Schema.Class<Clip>("Clip")({
  id: ClipId,
  projectId: ProjectId,
  videoId: VideoId,
  name: Name,
  position: Count,
  version: Positive,
  /** Source seconds; null: the whole video. */
  timing: ClipTiming,
  crop: Schema.NullOr(Crop),
  speed: ClipSpeed,
  /** Leads into the next clip. */
  transition: Transition,
  overlays: ClipOverlays
}) {}

export class Project extends Schema.Class<Project>("Project")({
  id: ProjectId,
  name: Name,
  aspect: Aspect,
  clips: Schema.Array(Clip),
  activeExport: Schema.NullOr(ExportId),
  latestExport: Schema.NullOr(ExportId),
  createdAt: Instant,
  updatedAt: Instant
}) {}
