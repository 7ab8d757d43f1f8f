import { Schema } from "effect"
import { ImageId, VideoId } from "./Ids.ts"
import { Seconds } from "./Quantity.ts"
import { Text } from "./Text.ts"
import { told } from "./Told.ts"

/** Fractions of the displayed frame, 0…1. */
const Fraction = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
const PositiveFraction = Schema.Finite.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(1))

/** Seconds of a source: beyond any video that is, and as whole microseconds still exact. */
const SourceTime = Seconds.check(Schema.isLessThanOrEqualTo(1e9))

export const Timing = Schema.Struct({ start: Seconds, end: Seconds }).check(
  Schema.makeFilter((t) => t.end > t.start || "end must be after start")
)
export type Timing = typeof Timing.Type

/** Source time and a window within the frame. */
export const CropKeyframe = Schema.Struct({
  time: SourceTime.annotate(told("Source time: seconds from the video's first frame, whatever the clip's timing")),
  x: Fraction,
  y: Fraction,
  width: PositiveFraction,
  height: PositiveFraction
}).check(
  Schema.makeFilter(
    (k) => (k.x + k.width <= 1 + 1e-9 && k.y + k.height <= 1 + 1e-9) || "the window must lie within the frame"
  )
)

const MAX_KEYFRAMES = 10_000
export const Crop = Schema.Struct({
  keyframes: Schema.Array(CropKeyframe).check(Schema.isMinLength(1), Schema.isMaxLength(MAX_KEYFRAMES)),
  /** How windows get from one keyframe to the next: straight (the default), or through all of them without a kink. */
  interpolation: Schema.optionalKey(Schema.Literals(["linear", "smooth"]))
})
export type Crop = typeof Crop.Type

export const SpeedSegment = Schema.Struct({
  start: SourceTime.annotate(told("Source time, as of crops")),
  end: SourceTime,
  rate: Schema.Finite.check(Schema.isBetween({ minimum: 0.25, maximum: 4 })).annotate(
    told("2 is twice as fast. Sound keeps its pitch")
  )
}).check(Schema.makeFilter((s) => s.end > s.start || "end must be after start"))
export type SpeedSegment = typeof SpeedSegment.Type

export const Transition = Schema.Struct({
  type: Schema.Literals(["cut", "fade", "dissolve"]),
  /** Seconds; 0 for a cut. */
  duration: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 30 })).annotate(
    told(
      "Seconds; 0 for a cut. Leads into the next clip: a dissolve shows both at once, so the film gets shorter by it"
    )
  )
})
export type Transition = typeof Transition.Type
export const CUT: Transition = { type: "cut", duration: 0 }

const CaptionText = Text.check(Schema.isMaxLength(1_048_576))
const Color = Schema.String.check(Schema.isPattern(/^#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?$/))

const WHEN = {
  start: SourceTime.annotate(told("Source time, as of crops and speeds: the first frame at or after it shows it")),
  end: SourceTime.annotate(told("Source time: the first frame at or after it shows it no more"))
}
const WHERE = {
  x: Fraction.annotate(told("Its left edge, a fraction of the finished picture's width")),
  y: Fraction.annotate(told("Its upper edge, a fraction of the finished picture's height"))
}

/**
 * Drawn over the finished picture, cropped and scaled as it is (beside its source: over the result); from below: highlights,
 * images in their order, captions and texts. What lies beyond the picture's edge is cut off.
 */
export const Overlay = Schema.Union([
  Schema.Struct({
    type: Schema.Literal("captions"),
    format: Schema.Literals(["srt", "vtt", "ass"]),
    text: CaptionText.annotate(told("The file. Its times are source times"))
  }),
  Schema.Struct({
    type: Schema.Literal("text"),
    text: CaptionText,
    ...WHEN,
    ...WHERE,
    size: PositiveFraction.annotate(told("Height of a line, a fraction of the picture's height")),
    color: Color.annotate(told("#rrggbb, or #rrggbbaa with its opacity"))
  }),
  Schema.Struct({
    type: Schema.Literal("image"),
    imageId: Schema.optionalKey(ImageId.annotate(told("Of POST /api/images"))),
    videoId: Schema.optionalKey(VideoId.annotate(told("Not drawn: an export that shows it is refused"))),
    ...WHEN,
    ...WHERE,
    width: PositiveFraction.annotate(
      told("A fraction of the picture's width. It is as high as its own shape makes it, on even pixels")
    ),
    opacity: Schema.optionalKey(Fraction.annotate(told("Times its own alpha; 1 unless told")))
  }),
  Schema.Struct({
    type: Schema.Literal("highlight"),
    shape: Schema.Literals(["ellipse", "rectangle"]),
    keyframes: Schema.Array(CropKeyframe)
      .check(Schema.isMinLength(1), Schema.isMaxLength(MAX_KEYFRAMES))
      .annotate(
        told(
          "Source times and windows of the finished picture, straight in between; shown from the first to the last, with one of them all the time"
        )
      )
  })
])
export type Overlay = typeof Overlay.Type
