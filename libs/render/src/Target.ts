import type { Settings, VideoCodec } from "@reelay/contracts/Export"
import type { Crop } from "@reelay/contracts/Edits"
import type { MediaInfo } from "@reelay/contracts/Media"
import type { Aspect } from "@reelay/contracts/Project"
import type { Rational } from "@reelay/contracts/Quantity"
import type { Target } from "@reelay/contracts/RenderSpec"
import { Result } from "effect"

export type TargetRefusal =
  /** A clip (position) has another aspect than the output and nothing says how to fit it. */
  | { readonly _tag: "missingCrop"; readonly clip: number; readonly detail: string }
  /** A setting that cannot be, or does not work yet. `field` as in the request, e.g. `settings.codec`. */
  | { readonly _tag: "setting"; readonly field: string; readonly detail: string }

interface Size {
  readonly width: number
  readonly height: number
}

const SHORT_SIDE = { "720p": 720, "1080p": 1080, "4k": 2160 } as const
const ASPECTS = {
  "16:9": { width: 16, height: 9 },
  "9:16": { width: 9, height: 16 },
  "1:1": { width: 1, height: 1 },
  "4:5": { width: 4, height: 5 }
} as const satisfies Record<Exclude<Aspect, "source">, Size>

/** H.264 ends at level 6.2, and no encoder here takes a larger side. */
const MAX_SIDE = 8192
const MAX_PIXELS = 8192 * 4320
/** Encoders need a few blocks of pixels. */
const MIN_SIDE = 16

const RATES: Record<string, Rational> = {
  "23.976": { num: 24000, den: 1001 },
  "24": { num: 24, den: 1 },
  "25": { num: 25, den: 1 },
  "29.97": { num: 30000, den: 1001 },
  "30": { num: 30, den: 1 },
  "50": { num: 50, den: 1 },
  "59.94": { num: 60000, den: 1001 },
  "60": { num: 60, den: 1 }
}

const refuse = (field: string, detail: string): Result.Result<never, TargetRefusal> =>
  Result.fail({ _tag: "setting", field: `settings.${field}`, detail })

/** What of a clip decides what the output can be. */
export interface Shown {
  readonly media: MediaInfo
  readonly crop: Crop | null
}

/** Resolves every `auto` and `source` against the clips' media (in clip order, at least one). */
export const resolveTarget = (
  settings: Settings,
  aspect: Aspect,
  clips: ReadonlyArray<Shown>
): Result.Result<Target, TargetRefusal> =>
  Result.gen(function* () {
    const first = clips[0]?.media
    if (first === undefined) return yield* refuse("resolution", "there is no clip to take it from")
    const codec = yield* resolveCodec(settings)
    const size = yield* resolveSize(settings, aspect, first)
    for (const [clip, { crop, media }] of clips.entries()) {
      // A crop is fitted by narrowing it; without one the setting says how.
      if (
        crop === null
        && settings.fit === "crop"
        && !fills(media.picture, size, aspect === "source" ? first.picture : null)
      ) {
        const shown = `${media.picture.width}×${media.picture.height}`
        return yield* Result.fail<TargetRefusal>({
          _tag: "missingCrop",
          clip,
          detail: `clip ${clip + 1} is ${shown} and has no crop for ${size.width}×${size.height}; give it one, or choose the fit pad or blur`
        })
      }
    }
    return {
      format: settings.format,
      codec,
      width: size.width,
      height: size.height,
      frameRate:
        settings.frameRate === "source"
          ? first.picture.frameRate
          : (RATES[String(settings.frameRate)] ?? first.picture.frameRate),
      quality: settings.quality,
      mode: settings.mode,
      fit: settings.fit,
      loudness: settings.loudness,
      sound: clips.some(({ media }) => media.sound !== null)
    }
  })

const resolveCodec = (settings: Settings): Result.Result<VideoCodec, TargetRefusal> => {
  const { codec, format } = settings
  if (codec === "auto") return Result.succeed(format === "webm" ? "vp9" : "h264")
  if (format === "webm" && codec !== "vp9" && codec !== "av1")
    return refuse("codec", `webm holds vp9 or av1, not ${codec}`)
  if (format === "mov" && codec === "av1") return refuse("codec", "av1 goes into mp4 or webm")
  if (format !== "webm" && codec === "vp9")
    return refuse("codec", `${format} holds h264 or hevc here, vp9 goes into webm`)
  return Result.succeed(codec)
}

const nearestEven = (value: number): number => 2 * Math.round(value / 2)
const evenBelow = (value: number): number => 2 * Math.floor(value / 2)

const resolveSize = (settings: Settings, aspect: Aspect, first: MediaInfo): Result.Result<Size, TargetRefusal> => {
  const shape: Size = aspect === "source" ? first.picture : ASPECTS[aspect]
  const size =
    settings.resolution === "source"
      ? aspect === "source"
        ? even(first.picture)
        : shaped(shape, evenBelow(Math.min(first.picture.width, first.picture.height)))
      : shaped(shape, SHORT_SIDE[settings.resolution])
  const side = Math.max(size.width, size.height)
  if (side > MAX_SIDE || size.width * size.height > MAX_PIXELS) {
    return refuse("resolution", `${size.width}×${size.height} is more than can be encoded`)
  }
  if (Math.min(size.width, size.height) < MIN_SIDE) {
    return refuse("resolution", `${size.width}×${size.height} is less than can be encoded`)
  }
  return Result.succeed(size)
}

const even = (size: Size): Size => ({ width: evenBelow(size.width), height: evenBelow(size.height) })

/** `short` is the smaller side, the other follows from the shape. */
const shaped = (shape: Size, short: number): Size =>
  shape.width >= shape.height
    ? { width: nearestEven((short * shape.width) / shape.height), height: short }
    : { width: short, height: nearestEven((short * shape.height) / shape.width) }

/**
 * Whether a picture fills the output without being cropped or visibly stretched: the same shape, as far as whole pixels
 * tell. The source's displayed size is rounded to a pixel, the output's to an even one; shapes that may be equal before
 * rounding are.
 */
const fills = (picture: Size, output: Size, shape: Size | null): boolean => {
  if (shape !== null && picture.width === shape.width && picture.height === shape.height) return true
  const narrowest = (size: Size, slack: number) => (size.width - slack) / (size.height + slack)
  const widest = (size: Size, slack: number) => (size.width + slack) / (size.height - slack)
  return narrowest(picture, 0.5) <= widest(output, 1) && narrowest(output, 1) <= widest(picture, 0.5)
}
