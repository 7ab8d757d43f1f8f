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

/** A stretch of a clip's sound. */
export interface Take {
  readonly media: MediaInfo
  readonly clip: SpecClip
  /** Output frames a second, by which the clip's sections are counted. */
  readonly rate: Rational
  /** Samples before it, from the clip's first. */
  readonly from: number
  readonly samples: number
}

/** Whether any of a clip's time has sound; if not, no file need be opened. */
export const heard = ({ media, clip }: Take): boolean =>
  media.sound !== null && media.sound.offset < clip.end && media.sound.offset + media.sound.duration > clip.start

/** Whole microseconds for `-ss`, from the file's zero; null: from the start. */
export const soundSeek = (take: Take): number | null => {
  const { media } = take
  const seek = zeroMicros(media) + originOf(take) - media.fileStart - RUN_UP_MICROS - media.picture.longestGop
  return seek <= 0 ? null : seek
}

/** Whole seconds of a clip, in source time, of which the stretch needs nothing. Whole, so that samples stay samples. */
const secondsBefore = ({ clip, from, rate }: Take): number => {
  const section = soundSections(clip, rate).findLast(({ first }) => samplesBefore(first, rate) <= from)
  if (section === undefined) return 0
  // What is stretched is stretched from its start on.
  const within = isUsual(section) ? (from - samplesBefore(section.first, rate)) / SAMPLE_RATE : 0
  return Math.floor((section.start - clip.start) / 1e6 + within)
}

/** Source time, in microseconds from media zero, from which on the stretch is read. */
const originOf = (take: Take): number => take.clip.start + secondsBefore(take) * 1_000_000

/**
 * Broadcasts change the channels or the rate of their sound from one programme to the next. There ffmpeg begins its graph anew,
 * and all that was counted is forgotten: what cuts and fills by samples has to be given sound that has been evened out.
 */
export const mayChange = ({ media }: Take): boolean => /(^|,)(mpegts|mpeg|wtv)(,|$)/.test(media.container)

/** The filters that do that: they count nothing. What comes out begins at 0, or where the stretch's first sound is. */
export const evening = (take: Take): string =>
  [fromOrigin(take), ...stereo(take), `atrim=start=0:end=${(take.clip.end - originOf(take)) / 1e6 + 1}`].join(",")

/** Media zero on the file's clock, whole microseconds. */
export const zeroMicros = ({ picture }: MediaInfo): number =>
  Number(roundDivide(BigInt(picture.zeroPts) * BigInt(picture.timeBase.num) * 1_000_000n, BigInt(picture.timeBase.den)))

const FORMAT = "sample_fmts=s16:channel_layouts=stereo"

/** The stretch's first sample at 0. */
const fromOrigin = (take: Take): string => {
  const zero = zeroMicros(take.media) + originOf(take)
  const start = `${zero < 0 ? "-" : ""}${Math.floor(Math.abs(zero) / 1e6)}.${String(Math.abs(zero) % 1e6).padStart(6, "0")}`
  return `asetpts='round(PTS-(${start})/TB)'`
}

/** Time stamps hold: silence into holes, but no stretching for jitter below a tenth of a second. */
const resampled = (options: string): string =>
  `aresample=${SAMPLE_RATE}:async=1${options}:min_comp=0.00001:min_hard_comp=0.1`
/**
 * More channels are mixed down as players do: ffmpeg would make all of it 8 dB quieter, so that not even what never happens
 * could clip. And its own up-mix would make mono 3 dB quieter.
 */
const stereo = ({ media }: Take, options = ""): ReadonlyArray<string> => [
  ...(media.sound?.channels === 1 ? ["pan=stereo|c0=c0|c1=c0"] : []),
  `${resampled(options)}:rematrix_maxval=8`,
  `aformat=${FORMAT}`
]
/** Silence that joins whatever went before: a clip whose sound ends early stays as long as its picture. */
const silence = `anullsrc=r=${SAMPLE_RATE}:cl=stereo,aformat=${FORMAT}`
const RESTART = "asetpts=N/SR/TB"
const cut = (samples: number, from = 0): string =>
  `atrim=${from === 0 ? "" : `start_sample=${from}:`}end_sample=${from + samples},${RESTART}`

/** Source samples before an instant of a clip: sound is cut where its sections are. */
const samplesUntil = (clip: SpecClip, instant: Micros): number =>
  Number(roundDivide(BigInt(instant - clip.start) * BigInt(SAMPLE_RATE), 1_000_000n))

const isUsual = ({ speed }: Section): boolean => speed.num === speed.den

/** A clip at its own speed all through is one section, whatever its segments say. */
const soundSections = (clip: SpecClip, rate: Rational): ReadonlyArray<Section> => {
  const sections = sectionsOf(clip, rate)
  return sections.every(isUsual) ? sectionsOf({ ...clip, speed: [] }, rate) : sections
}

/**
 * Faster or slower at the same pitch, and in its place: measured on beeps at 0.25×…4×, the middle of each is within 9 ms of
 * where it belongs with these settings and this lead; with crisp transients it is up to 39 ms late, with atempo up to 52 ms
 * early.
 */
const tempo = ({ num, den }: Rational): ReadonlyArray<string> =>
  num === den ? [] : [`apad=whole_len=${LEAST}`, `rubberband=tempo=${num / den}:transients=smooth:window=short`]

/** The filter fails (`Operation not permitted`) when all that it is given, up to 1000 samples at 4×, goes into its first window. */
const LEAST = 4096

/**
 * Source samples that stretching is given before those it is asked for: it takes the first half of its window (512 samples)
 * for the time before the beginning, so that all that is slowed down comes too early, by 16 ms at a quarter of the speed.
 */
const leadOf = ({ num, den }: Rational): number => Math.round(256 * (1 - num / den))

/**
 * Sections at their speeds, each exactly as long as its frames: what stretching makes too long is cut, what it leaves
 * short is silence, so that picture and sound are together again where each section begins.
 */
const respeed = (take: Take, name: string): string => {
  const { clip, from, rate, samples } = take
  const sections = soundSections(clip, rate)
  const before = secondsBefore(take) * SAMPLE_RATE
  if (sections.every(isUsual)) return cut(samples, from - before)
  const parts = sections.flatMap((section, i) => {
    const { end, first, frames, start } = section
    // The last one ends where the clip does.
    const begins = samplesBefore(first, rate)
    const ends = i === sections.length - 1 ? Infinity : samplesBefore(first + frames, rate)
    const wanted = Math.max(from, begins)
    const length = Math.min(from + samples, ends) - wanted
    if (length <= 0) return []
    const [starts, skipped] = isUsual(section) ? [wanted - begins, 0] : [0, wanted - begins]
    const begin = samplesUntil(clip, start) + starts - before - leadOf(section.speed)
    return [
      [
        `atrim=start_sample=${Math.max(0, begin)}:end_sample=${samplesUntil(clip, end) - before}`,
        RESTART,
        ...(begin < 0 ? [`adelay=${-begin}S:all=1`] : []),
        ...tempo(section.speed),
        "apad",
        cut(length, skipped)
      ].join(",")
    ]
  })
  const labels = (kind: string) => parts.map((_, i) => `[${name}${kind}${i}]`).join("")
  return [
    `asplit=${parts.length}${labels("in")}`,
    ...parts.map((filters, i) => `[${name}in${i}]${filters}[${name}out${i}]`),
    `${labels("out")}concat=n=${parts.length}:v=0:a=1`
  ].join(";\n")
}

/**
 * A stretch of sound out of the stream `[input:n]`, without an end: filters may follow. `input` is null where nothing is
 * heard; `name` sets labels apart from those of another stretch in the same graph.
 */
const taken = (take: Take, input: number | null, name: string): string => {
  const { media, samples } = take
  const { sound } = media
  if (sound === null || input === null) return `${silence},${cut(samples)}`
  const filled = ":first_pts=0"
  const heard = mayChange(take)
    ? [`[${input}:0]${resampled(filled)}`]
    : [`[${input}:${sound.streamIndex}]${fromOrigin(take)}`, ...stereo(take, filled)]
  return (
    `${heard.join(",\n")}[${name}heard];\n${silence}[${name}rest];\n`
    + `[${name}heard][${name}rest]concat=n=2:v=0:a=1,${respeed(take, name)}`
  )
}

/** Of so many samples, from silence up or down to it. */
const ramp = (direction: "in" | "out", from: number, samples: number, curve: "tri" | "qsin"): string =>
  `afade=t=${direction}:ss=${from}:ns=${samples}:curve=${curve}`

/** A clip's sound, with gain ramps of so many samples at its start and end. */
export const soundGraph = (take: Take, input: number | null, fadeIn: number, fadeOut: number): string => {
  const faded = [
    taken(take, input, ""),
    ...(fadeIn > 0 ? [ramp("in", 0, fadeIn, "tri")] : []),
    ...(fadeOut > 0 ? [ramp("out", take.samples - fadeOut, fadeOut, "tri")] : [])
  ]
  return `${faded.join(",")}[a]\n`
}

/**
 * One stretch sinking while the other one, as long, rises. At equal power: what is unlike keeps its loudness. Mixed as floats:
 * what is alike gets louder by up to 3 dB, and is clipped once at most.
 */
export const crossfadeGraph = (first: Take, second: Take, inputs: readonly [number | null, number | null]): string => {
  const { samples } = first
  const side = (take: Take, input: number | null, name: string, direction: "in" | "out") =>
    `${taken(take, input, name)},aformat=sample_fmts=flt,${ramp(direction, 0, samples, "qsin")}[${name}]`
  return [
    `${side(first, inputs[0], "first", "out")};`,
    `${side(second, inputs[1], "second", "in")};`,
    `[first][second]amix=inputs=2:duration=shortest:normalize=0,aformat=${FORMAT},${RESTART}[a]\n`
  ].join("\n")
}

/** Pieces joined by the concat demuxer are one stream already; only their time stamps are made anew. */
export const soundtrackGraph = (samples: number, filters: ReadonlyArray<string> = []): string =>
  `[0:a]${[RESTART, ...filters, cut(samples)].join(",")}[a]\n`

/** The soundtrack through several chains side by side, of which all but the last end in themselves. */
export const soundtrackTrials = (samples: number, chains: readonly [string, ...ReadonlyArray<string>]): string => {
  const pads = chains.map((_, i) => `[try${i}]`)
  const ends = chains.map((_, i) => (i === chains.length - 1 ? "[a]" : ",anullsink;"))
  return [
    `[0:a]${RESTART},${cut(samples)},asplit=${chains.length}${pads.join("")};`,
    ...chains.map((chain, i) => `${pads[i]}${chain}${ends[i]}`),
    ""
  ].join("\n")
}
