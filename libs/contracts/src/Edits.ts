import { Schema } from "effect"
import { ImageId, VideoId } from "./Ids.ts"
import { Seconds } from "./Quantity.ts"
import { Text } from "./Text.ts"

/** Fractions of the displayed frame, 0…1. */
const Fraction = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
const PositiveFraction = Schema.Finite.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(1))

export const Timing = Schema.Struct({ start: Seconds, end: Seconds }).check(
  Schema.makeFilter((t) => t.end > t.start || "end must be after start")
)
export type Timing = typeof Timing.Type

/** Source time and a window within the frame. */
export const CropKeyframe = Schema.Struct({
  time: Seconds,
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
  start: Seconds,
  end: Seconds,
  rate: Schema.Finite.check(Schema.isBetween({ minimum: 0.25, maximum: 4 }))
}).check(Schema.makeFilter((s) => s.end > s.start || "end must be after start"))
export type SpeedSegment = typeof SpeedSegment.Type

export const Transition = Schema.Struct({
  type: Schema.Literals(["cut", "fade", "dissolve"]),
  /** Seconds; 0 for a cut. */
  duration: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 30 }))
})
export type Transition = typeof Transition.Type
export const CUT: Transition = { type: "cut", duration: 0 }

const CaptionText = Text.check(Schema.isMaxLength(1_048_576))
const Color = Schema.String.check(Schema.isPattern(/^#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?$/))

export const Overlay = Schema.Union([
  Schema.Struct({
    type: Schema.Literal("captions"),
    format: Schema.Literals(["srt", "vtt", "ass"]),
    text: CaptionText
  }),
  Schema.Struct({
    type: Schema.Literal("text"),
    text: CaptionText,
    start: Seconds,
    end: Seconds,
    x: Fraction,
    y: Fraction,
    /** Height of a line as a fraction of the frame's height. */
    size: PositiveFraction,
    color: Color
  }),
  /** `x`, `y`: its left upper corner; as high as its own shape makes it. Opaque (but for its own alpha) unless told. */
  Schema.Struct({
    type: Schema.Literal("image"),
    imageId: Schema.optionalKey(ImageId),
    videoId: Schema.optionalKey(VideoId),
    start: Seconds,
    end: Seconds,
    x: Fraction,
    y: Fraction,
    width: PositiveFraction,
    opacity: Schema.optionalKey(Fraction)
  }),
  Schema.Struct({
    type: Schema.Literal("highlight"),
    shape: Schema.Literals(["ellipse", "rectangle"]),
    keyframes: Schema.Array(CropKeyframe).check(Schema.isMinLength(1), Schema.isMaxLength(MAX_KEYFRAMES))
  })
])
export type Overlay = typeof Overlay.Type
