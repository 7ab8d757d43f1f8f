import type { ExportRequest, Segment } from "@reelay/contracts/Export"
import { EXPORT_LIMITS } from "@reelay/contracts/Export"
import { CUT } from "@reelay/contracts/Edits"
import type { ImageId, UserId, VideoId } from "@reelay/contracts/Ids"
import type { MediaInfo } from "@reelay/contracts/Media"
import type { FieldError } from "@reelay/contracts/FieldError"
import { InvalidSegment, MissingCropData, NoClips, Validation } from "@reelay/contracts/Problem"
import type { Aspect, Clip } from "@reelay/contracts/Project"
import { Micros, microsOf, secondsOf } from "@reelay/contracts/Quantity"
import type { RenderSpec, SpecClip, SpecImage, SpecSource } from "@reelay/contracts/RenderSpec"
import { outputStem } from "@reelay/render/Names"
import { imagesRefusal, overlayRefusals } from "@reelay/render/OverlayLimits"
import { clipFrames } from "@reelay/render/Sections"
import { tooShort, totalFrames } from "@reelay/render/Sequence"
import { resolveTarget } from "@reelay/render/Target"
import { roundDivide } from "@reelay/render/Timeline"
import { Result } from "effect"

/** What a request is about, as it is stored right now. */
export interface Material {
  /** Of the project or the video: outputs are named after it. */
  readonly name: string
  /** The project's; `source` for a video. */
  readonly aspect: Aspect
  readonly clips: ReadonlyArray<MaterialClip>
  readonly sources: ReadonlyMap<VideoId, SpecSource>
  /** Of the owner's, those that overlays name. */
  readonly images: ReadonlyMap<ImageId, SpecImage>
}

export type MaterialClip = Pick<Clip, "name" | "videoId" | "timing" | "crop" | "speed" | "transition" | "overlays"> & {
  readonly id: Clip["id"] | null
  readonly version: Clip["version"] | null
}

export interface Frozen {
  readonly spec: RenderSpec
  /** The request's, and where it says nothing, the project's. */
  readonly aspect: Aspect
  /** Of all outputs together. */
  readonly frames: number
  readonly duration: Micros
  /** Of the spec, as JSON. */
  readonly bytes: number
}

export type Refusal = Validation | NoClips | InvalidSegment | MissingCropData

/** A video's parts as the clips of a project without a name. No segments: all of it. */
export const clipsOfVideo = (
  videoId: VideoId,
  name: string,
  segments: ReadonlyArray<Segment> | undefined
): ReadonlyArray<MaterialClip> =>
  (segments === undefined || segments.length === 0 ? [null] : segments).map((timing) => ({
    id: null,
    version: null,
    name,
    videoId,
    timing,
    crop: null,
    speed: [],
    transition: CUT,
    overlays: []
  }))

/**
 * The frozen meaning of a request (invariant 2), or the reason why there is none. Pure: what is stored goes in, what is
 * to be stored comes out.
 */
export const freeze = (request: ExportRequest, tenant: UserId, material: Material): Result.Result<Frozen, Refusal> =>
  Result.gen(function* () {
    const { clips, sources } = material
    if (clips.length === 0) return yield* Result.fail(new NoClips({ detail: "There is nothing to export yet." }))
    yield* works(request, material)
    const drawn = imagesNamed(request, clips).flatMap(({ imageId }) => material.images.get(imageId) ?? [])
    const images = [...new Set(drawn)]
    const used = [...new Set(clips.map((clip) => clip.videoId))]
    const specSources = used.flatMap((id) => sources.get(id) ?? [])
    const mediaOf = (clip: MaterialClip): MediaInfo | undefined => sources.get(clip.videoId)?.media
    const shown = clips.flatMap((clip) => {
      const media = mediaOf(clip)
      return media === undefined ? [] : [{ media, crop: clip.crop }]
    })

    const aspect = request.settings.aspect ?? material.aspect
    const target = yield* Result.mapError(resolveTarget(request.settings, aspect, shown), (refusal) =>
      refusal._tag === "missingCrop"
        ? new MissingCropData({ detail: `${refusal.detail}.`, clipId: clips[refusal.clip]?.id ?? null })
        : validation([{ field: refusal.field, message: refusal.detail }])
    )

    const specClips: Array<SpecClip> = []
    for (const [position, clip] of clips.entries()) {
      const picture = mediaOf(clip)?.picture
      if (picture === undefined) continue
      const field = clip.id === null ? `segments[${position}]` : `clips[${position}].timing`
      const { end, start } = yield* rangeOf(clip.timing, picture.duration, field)
      yield* inOrder(clip.speed, `clips[${position}].speed`)
      const frames = clipFrames({ start, end, speed: clip.speed }, target.frameRate)
      if (frames < 1) return yield* Result.fail(invalidSegment(field, "is shorter than a frame of the output"))
      specClips.push({
        clipId: clip.id,
        version: clip.version,
        name: clip.name,
        source: used.indexOf(clip.videoId),
        start,
        end,
        frames,
        crop: clip.crop,
        speed: clip.speed,
        transition: clip.transition,
        overlays: clip.overlays
      })
    }

    const short = tooShort(request.delivery, specClips, target.frameRate)
    if (short !== null) {
      const field = `clips[${short.clip}].transition`
      return yield* Result.fail(validation([{ field, message: `is too long: the clip ${short.message}` }]))
    }
    const frames = totalFrames(request.delivery, specClips, target.frameRate)
    const { den, num } = target.frameRate
    const duration = Micros.make(Number(roundDivide(BigInt(frames) * BigInt(den) * 1_000_000n, BigInt(num))))
    const parts = clips[0]?.id === null ? "segments" : "clips"
    const hours = secondsOf(duration) / 3600
    if (hours > EXPORT_LIMITS.hours) {
      const message = `come to ${hours.toFixed(1)} hours of output; ${EXPORT_LIMITS.hours} is the most`
      return yield* Result.fail(validation([{ field: parts, message }]))
    }
    const spec: RenderSpec = {
      v: 1,
      tenant,
      type: request.type,
      delivery: request.delivery,
      name: outputStem(material.name, request.settings.resolution),
      target,
      sources: specSources,
      ...(images.length === 0 ? {} : { images }),
      clips: specClips
    }
    const bytes = Buffer.byteLength(JSON.stringify(spec))
    if (bytes > EXPORT_LIMITS.bytes) return yield* Result.fail(tooMuch(parts))
    return { aspect, frames, duration, spec, bytes }
  })

/** Of the parts' edits, in bytes. */
const tooMuch = (field: string): Validation =>
  validation([{ field, message: `come to more than ${EXPORT_LIMITS.bytes / 1024 ** 2} MiB with all their edits` }])

/** The other types show none, by what they are. */
const drawsOverlays = ({ type }: ExportRequest): boolean => type === "overlay" || type === "before_after"

/** What a request's overlays name, with their positions. */
export const imagesNamed = (request: ExportRequest, clips: ReadonlyArray<MaterialClip>) =>
  (drawsOverlays(request) ? clips : []).flatMap(({ overlays }, clip) =>
    overlays.flatMap((one, overlay) =>
      one.type === "image" && one.imageId !== undefined ? [{ clip, overlay, imageId: one.imageId }] : []
    )
  )

const validation = (errors: ReadonlyArray<FieldError>) =>
  new Validation({ detail: errors.map((error) => `${error.field} ${error.message}`).join("; "), errors })

const invalidSegment = (field: string, message: string) =>
  new InvalidSegment({ detail: `${field} ${message}.`, errors: [{ field, message }] })

const keyframesOf = ({ crop, overlays }: MaterialClip): number =>
  overlays.reduce(
    (sum, overlay) => sum + (overlay.type === "highlight" ? overlay.keyframes.length : 0),
    crop?.keyframes.length ?? 0
  )
const total = (clips: ReadonlyArray<MaterialClip>, of: (clip: MaterialClip) => number): number =>
  clips.reduce((sum, clip) => sum + of(clip), 0)

/**
 * Nothing is ever silently left out of a picture: what cannot be rendered (yet) is named and refused, and so is what would
 * be more than a plan should be of.
 */
const works = (request: ExportRequest, { clips, images }: Material): Result.Result<void, Validation> => {
  const errors: Array<FieldError> = []
  if (request.delivery === "single" && clips.length !== 1) {
    errors.push({ field: "delivery", message: `"single" needs exactly one clip or segment, here are ${clips.length}` })
  }
  const speeds = total(clips, (clip) => clip.speed.length)
  const keyframes = total(clips, keyframesOf)
  for (const [count, most, message] of [
    [clips.length, EXPORT_LIMITS.clips, `are ${clips.length}`],
    [speeds, EXPORT_LIMITS.speeds, `have ${speeds} speeds`],
    [keyframes, EXPORT_LIMITS.keyframes, `have ${keyframes} keyframes`]
  ] as const) {
    if (count > most) errors.push({ field: "clips", message: `${message}; ${most} is the most` })
  }
  for (const { clip, detail, overlay } of drawsOverlays(request) ? overlayRefusals(clips) : []) {
    errors.push({ field: `clips[${clip}].overlays[${overlay}]`, message: detail })
  }
  for (const [clip, named] of Map.groupBy(imagesNamed(request, clips), (one) => one.clip)) {
    for (const { imageId, overlay } of named) {
      if (images.has(imageId)) continue
      errors.push({ field: `clips[${clip}].overlays[${overlay}].imageId`, message: "there is no such image" })
    }
    const message = imagesRefusal(named.flatMap(({ imageId }) => images.get(imageId) ?? []))
    if (message !== null) errors.push({ field: `clips[${clip}].overlays`, message })
  }
  return errors.length === 0 ? Result.succeed(undefined) : Result.fail(validation(errors))
}

/** One speed at a time. */
const inOrder = (speed: MaterialClip["speed"], field: string): Result.Result<void, Validation> => {
  const sorted = speed.toSorted((a, b) => a.start - b.start)
  const overlapping = sorted.find((segment, i) => segment.start < (sorted[i - 1]?.end ?? 0))
  if (overlapping === undefined) return Result.succeed(undefined)
  return Result.fail(validation([{ field, message: `says two speeds for ${overlapping.start} s` }]))
}

/** A part of a video in whole microseconds from media zero. */
const rangeOf = (
  timing: Segment | null,
  duration: Micros,
  field: string
): Result.Result<{ readonly start: Micros; readonly end: Micros }, InvalidSegment> => {
  if (timing === null) return Result.succeed({ start: Micros.make(0), end: duration })
  const refuse = (message: string) => Result.fail(invalidSegment(field, message))
  if (!(timing.start >= 0)) return refuse("starts before the video does")
  if (Math.round(timing.start * 1e6) >= duration)
    return refuse(`starts where the video is over (${secondsOf(duration)} s)`)
  if (!(timing.end > timing.start)) return refuse("ends before it starts, or at once")
  if (Math.round(timing.end * 1e6) > duration) return refuse(`ends after the video does (${secondsOf(duration)} s)`)
  return Result.succeed({ start: microsOf(timing.start), end: microsOf(timing.end) })
}
