import type { Rational } from "@reelay/contracts/Quantity"
import { argv } from "./Argv.ts"
import { fileUrl, mediaInput, ownInput } from "./Safety.ts"
import type { CopiedFrames, Expectation } from "./TaskCommand.ts"
import { secondsAt } from "./Timeline.ts"

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

/** Frames of the file that are compared in one go: the first is `from`. */
interface Window {
  readonly from: number
  readonly to: number
}

/**
 * Whether a player that comes from one side of a seam sees on the other what the source shows: both are decoded, from the key
 * frame before, and compared. Copied frames must be the source's to the bit. One check for each copied piece, with a window
 * at either end.
 */
export const seamChecks = ({ copied = [], path, video }: Expectation): ReadonlyArray<SeamCheck> =>
  video === null ? [] : copied.map((piece) => seamCheck(path, video.rate, piece))

const seamCheck = (path: string, rate: Rational, piece: CopiedFrames): SeamCheck => {
  const { after, before, from, to } = piece
  const windows: readonly [Window, Window] = [
    { from: from - Math.min(before, BEFORE), to: Math.min(to, from + AFTER) },
    { from: Math.max(from, to - BEFORE), to: to + Math.min(after, AFTER) }
  ]
  // Half a frame early: a time that was rounded is not missed.
  const seek = (seconds: number) => (seconds <= 0 ? [] : argv`-ss ${seconds.toFixed(6)}`)
  const inputs = windows.flatMap((window) => [
    ...argv`${ownInput} ${seek(secondsAt(window.from - 0.5, rate))} -i ${fileUrl(path)}`,
    ...argv`${mediaInput} ${seek(piece.at / 1e6 + secondsAt(window.from - from - 0.5, rate))} -i ${fileUrl(piece.source)}`
  ])
  const some = windows.map((window, i) => {
    const first = `trim=end_frame=${window.to - window.from},setpts=PTS-STARTPTS`
    return `[${2 * i}:v:0]${first}[made${i}];[${2 * i + 1}:${piece.stream}]${first}[source${i}]`
  })
  const all = (of: string) => `[${of}0][${of}1]concat=n=2:v=1,settb=1/1000,setpts=N[${of}]`
  const graph = [...some, all("made"), all("source"), "[made][source]psnr=stats_file=-:shortest=1[compared]"].join(";")
  const frames = windows.flatMap((window) => Array.from({ length: window.to - window.from }, (_, n) => window.from + n))
  return {
    argv: argv`
      -hide_banner -nostdin -v error ${inputs}
      -filter_complex_threads 1 -filter_complex ${graph} -map [compared] -f null -`,
    differences: (printed) => different(printed, frames, (frame) => frame >= from && frame < to)
  }
}

/** `frames`: what was compared, one after the other. */
const different = (
  printed: string,
  frames: ReadonlyArray<number>,
  isCopied: (frame: number) => boolean
): ReadonlyArray<string> => {
  const likenesses = [...printed.matchAll(/psnr_avg:(\S+)/g)].map(([, text]) =>
    text === "inf" ? Infinity : Number(text)
  )
  if (likenesses.length !== frames.length) {
    return [
      `from frame ${frames[0]} on ${likenesses.length} of ${frames.length} frames could be compared with the source`
    ]
  }
  return frames
    .flatMap((frame, n) => {
      const [likeness = 0, copied] = [likenesses[n], isCopied(frame)]
      if (likeness >= (copied ? Infinity : ALIKE)) return []
      return [`frame ${frame}, ${copied ? "copied" : "encoded"} beside a seam, is not the source's (${likeness} dB)`]
    })
    .slice(0, 1)
}
