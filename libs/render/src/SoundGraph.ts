import type { MediaInfo } from "@reelay/contracts/Media"
import type { Micros, Rational } from "@reelay/contracts/Quantity"
import type { SpecClip } from "@reelay/contracts/RenderSpec"
import { type Section, sectionsOf } from "./Sections.ts"
import { roundDivide, SAMPLE_RATE, samplesBefore } from "./Timeline.ts"

/**
 * Filter graphs of sound. Sample k of a clip's piece is what sounds at clip start + k/48000 on the media's clock, whose
 * zero is the first displayed frame: a late start and holes are silence, what comes before the clip is dropped.
 */

/** Sound decoded before the clip, thrown away: codecs need a run-up, and a seek lands by the picture. Seconds. */
const RUN_UP_MICROS = 5_000_000

/** Whether any of a clip's time has sound; if not, no file need be opened. */
export const heard = (media: MediaInfo, clip: SpecClip): boolean =>
  media.sound !== null && media.sound.offset < clip.end && media.sound.offset + media.sound.duration > clip.start

/** Whole microseconds for `-ss`, from the file's zero; null: from the start. */
export const soundSeek = (media: MediaInfo, clip: SpecClip): number | null => {
  const seek = zeroMicros(media) + clip.start - media.fileStart - RUN_UP_MICROS - media.picture.longestGop
  return seek <= 0 ? null : seek
}

/** Media zero on the file's clock, whole microseconds. */
const zeroMicros = ({ picture }: MediaInfo): number =>
  Number(roundDivide(BigInt(picture.zeroPts) * BigInt(picture.timeBase.num) * 1_000_000n, BigInt(picture.timeBase.den)))

const FORMAT = "sample_fmts=s16:channel_layouts=stereo"
/** Silence that joins whatever went before: a clip whose sound ends early stays as long as its picture. */
const silence = `anullsrc=r=${SAMPLE_RATE}:cl=stereo,aformat=${FORMAT}`
const RESTART = "asetpts=N/SR/TB"
const cut = (samples: number): string => `atrim=end_sample=${samples},${RESTART}`

export const silenceGraph = (samples: number): string => `${silence},${cut(samples)}[a]\n`

/** Source samples before an instant of a clip: sound is cut where its sections are. */
const samplesUntil = (clip: SpecClip, instant: Micros): number =>
  Number(roundDivide(BigInt(instant - clip.start) * BigInt(SAMPLE_RATE), 1_000_000n))

/**
 * Faster or slower at the same pitch, and in its place: measured on beeps at 0.25×…4×, the middle of each is within 16 ms of
 * where it belongs with these settings; with crisp transients it is up to 39 ms late, with atempo up to 52 ms early.
 */
const tempo = ({ num, den }: Rational): ReadonlyArray<string> =>
  num === den ? [] : [`rubberband=tempo=${num / den}:transients=smooth:window=short`]

/**
 * Sections at their speeds, each exactly as long as its frames: what stretching makes too long is cut, what it leaves
 * short is silence, so that picture and sound are together again where each section begins.
 */
const respeed = (clip: SpecClip, sections: ReadonlyArray<Section>, rate: Rational, samples: number): string => {
  const [only] = sections
  if (only === undefined || sections.every((section) => section.speed.num === section.speed.den)) return cut(samples)
  const parts = sections.map(({ end, first, frames, speed, start }, i) => {
    const length =
      i === sections.length - 1
        ? samples - samplesBefore(first, rate)
        : samplesBefore(first + frames, rate) - samplesBefore(first, rate)
    const filters = [
      `atrim=start_sample=${samplesUntil(clip, start)}:end_sample=${samplesUntil(clip, end)}`,
      RESTART,
      ...tempo(speed),
      "apad",
      cut(length)
    ]
    return `[in${i}]${filters.join(",")}[out${i}]`
  })
  const labels = (name: string) => sections.map((_, i) => `[${name}${i}]`).join("")
  return [
    `asplit=${sections.length}${labels("in")}`,
    ...parts,
    `${labels("out")}concat=n=${sections.length}:v=0:a=1`
  ].join(";\n")
}

/** A clip's sound out of the stream `[0:n]`. `rate`: output frames a second, by which the sections are counted. */
export const soundGraph = (media: MediaInfo, clip: SpecClip, rate: Rational, samples: number): string => {
  const sound = media.sound
  if (sound === null) return silenceGraph(samples)
  const zero = zeroMicros(media) + clip.start
  const start = `${zero < 0 ? "-" : ""}${Math.floor(Math.abs(zero) / 1e6)}.${String(Math.abs(zero) % 1e6).padStart(6, "0")}`
  return (
    [
      `[0:${sound.streamIndex}]asetpts='round(PTS-(${start})/TB)'`,
      // ffmpeg's own up-mix would make mono 3 dB quieter.
      ...(sound.channels === 1 ? ["pan=stereo|c0=c0|c1=c0"] : []),
      // Time stamps hold: silence into holes, but no stretching for jitter below a tenth of a second.
      `aresample=${SAMPLE_RATE}:async=1:first_pts=0:min_comp=0.00001:min_hard_comp=0.1`,
      `aformat=${FORMAT}[heard]`
    ].join(",\n")
    + `;\n${silence}[rest];\n[heard][rest]concat=n=2:v=0:a=1,${respeed(clip, sectionsOf(clip, rate), rate, samples)}[a]\n`
  )
}

/** Pieces joined by the concat demuxer are one stream already; only their time stamps are made anew. */
export const soundtrackGraph = (samples: number): string => `[0:a]${RESTART},${cut(samples)}[a]\n`
