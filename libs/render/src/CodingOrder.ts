import { lastAtMost } from "./Ascending.ts"
import type { FrameIndex } from "@reelay/contracts/Media"

/** Codecs of which pieces from two encoders go into one file: their parameter sets have numbers, and we can choose ours. */
const COPIED_CODECS: ReadonlySet<string> = new Set(["h264"])
/** Containers in which a seek to a key frame finds it, packets are in the order of coding, and each has its times. */
const isMp4 = (container: string): boolean => /(^|,)mp4(,|$)/.test(container)

/** Why packets of such a stream are never copied; null: they may be. By ffprobe's names. */
export const neverCopied = (container: string, codec: string): string | null =>
  !COPIED_CODECS.has(codec)
    ? `${codec} is always encoded, because parameter sets of two encoders cannot be told apart in it`
    : isMp4(container)
      ? null
      : "the source is no MP4 or QuickTime file"

/**
 * In which order frames are coded, from their times in that order and the same times ascending (ticks). Undefined where two
 * frames have one time: then nobody knows which is which.
 */
export const codingOrder = (coded: Float64Array, shown: Float64Array): FrameIndex["order"] => {
  const runs: Array<number> = []
  let [begun, latest, ahead] = [0, -1, 0]
  for (const [at, time] of coded.entries()) {
    const place = lastAtMost(shown, time)
    if (time === shown[place - 1]) return undefined
    latest = Math.max(latest, place)
    ahead = Math.max(ahead, at - place)
    // As many frames as lie up to here, and none of them later: these are all of the first `at + 1`.
    if (latest === at) {
      runs.push(at + 1 - begun)
      begun = at + 1
    }
  }
  return { runs, ahead }
}
