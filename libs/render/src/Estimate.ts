import type { Quality } from "@reelay/contracts/Export"
import type { Rational } from "@reelay/contracts/Quantity"
import type { Target } from "@reelay/contracts/RenderSpec"
import { soundCodec } from "./Spec.ts"
import { secondsAt } from "./Timeline.ts"

/** Bits per second that no chunk exceeds on average, at 1280×720 and 30 frames per second. */
const CEILING = { high: 8_000_000, medium: 4_000_000, low: 2_000_000 } as const satisfies Record<Quality, number>
const REFERENCE_PIXELS = 1280 * 720
const REFERENCE_RATE = 30

/** What constant quality takes of its ceiling: 0.05…0.5 over six films with x264 `fast`, 0.28 on average. */
const USUAL_SHARE = 0.3

/** Bits per second of a soundtrack, by what carries it. */
export const SOUND_BITRATE = { aac: 160_000, opus: 128_000 } as const

/** The average rate that is promised for every chunk (bits per second, whole): scaled by pixels and frame rate. */
export const ceilingOf = (target: {
  readonly quality: Quality
  readonly width: number
  readonly height: number
  readonly frameRate: Rational
}): number => {
  const pixels = (target.width * target.height) / REFERENCE_PIXELS
  const rate = target.frameRate.num / target.frameRate.den / REFERENCE_RATE
  return Math.max(1000, Math.round(CEILING[target.quality] * pixels * rate))
}

/** Bytes that an export of `frames` output frames will about take. */
export const estimateBytes = (target: Target, frames: number): number => {
  const sound = target.sound ? SOUND_BITRATE[soundCodec(target.format)] : 0
  return Math.round((secondsAt(frames, target.frameRate) * (ceilingOf(target) * USUAL_SHARE + sound)) / 8)
}
