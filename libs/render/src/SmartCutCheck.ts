import { argv } from "./Argv.ts"
import type { Expectation } from "./Command.ts"
import { fileUrl, mediaInput, ownInput } from "./Safety.ts"
import { secondsAt } from "./Timeline.ts"

/** Frames of a file that were copied from a source, and how many around them were encoded from the same. */
export interface CopiedFrames {
  /** Local path. */
  readonly source: string
  readonly stream: number
  /** Whole microseconds from the source's zero to the first copied frame. */
  readonly at: number
  /** Frames [from, to) of the file. */
  readonly from: number
  readonly to: number
  readonly before: number
  readonly after: number
}

/** Frames that are compared on the near side of a seam, before and after it. */
const BEFORE = 4
const AFTER = 12
/** Encoded frames must be like the source's to so many decibels: what goes wrong at a seam is far below. */
const ALIKE = 20

/** One comparison: `differences` is what is wrong by what it prints, empty when all is as it should be. */
export interface SeamCheck {
  readonly argv: ReadonlyArray<string>
  readonly differences: (printed: string) => ReadonlyArray<string>
}

/**
 * Whether a player that comes from one side of a seam sees on the other what the source shows: both are decoded, from the key
 * frame before, and compared. Copied frames must be the source's to the bit.
 */
export const seamChecks = ({ copied = [], path, video }: Expectation): ReadonlyArray<SeamCheck> => {
  if (video === null) return []
  const { rate } = video
  return copied.flatMap((piece) => {
    const { after, before, from, to } = piece
    const windows = [
      { from: from - Math.min(before, BEFORE), to: Math.min(to, from + AFTER) },
      { from: Math.max(from, to - BEFORE), to: to + Math.min(after, AFTER) }
    ]
    return windows.map((window): SeamCheck => {
      const frames = window.to - window.from
      // Half a frame early: a time that was rounded is not missed.
      const inFile = secondsAt(window.from - 0.5, rate)
      const inSource = piece.at / 1e6 + secondsAt(window.from - from - 0.5, rate)
      const seek = (seconds: number) => (seconds <= 0 ? [] : argv`-ss ${seconds.toFixed(6)}`)
      const numbered = `trim=end_frame=${frames},settb=1/1000,setpts=N`
      const graph = [
        `[0:v:0]${numbered}[made]`,
        `[1:${piece.stream}]${numbered}[source]`,
        "[made][source]psnr=stats_file=-:shortest=1[compared]"
      ].join(";")
      return {
        argv: argv`
          -hide_banner -nostdin -v error ${ownInput} ${seek(inFile)} -i ${fileUrl(path)}
          ${mediaInput} ${seek(inSource)} -i ${fileUrl(piece.source)}
          -filter_complex_threads 1 -filter_complex ${graph} -map [compared] -frames:v ${frames} -f null -`,
        differences: (printed) => different(printed, window.from, frames, (frame) => frame >= from && frame < to)
      }
    })
  })
}

const different = (
  printed: string,
  first: number,
  frames: number,
  isCopied: (frame: number) => boolean
): ReadonlyArray<string> => {
  const likenesses = [...printed.matchAll(/psnr_avg:(\S+)/g)].map(([, text]) =>
    text === "inf" ? Infinity : Number(text)
  )
  if (likenesses.length !== frames) {
    return [`around frame ${first}: ${likenesses.length} of ${frames} frames could be compared with the source`]
  }
  const at = likenesses.findIndex((likeness, n) => likeness < (isCopied(first + n) ? Infinity : ALIKE))
  if (at < 0) return []
  const [what, likeness] = [isCopied(first + at) ? "copied" : "encoded", likenesses[at]]
  return [`frame ${first + at}, ${what} beside a seam, is not the source's (${likeness} dB)`]
}
