import type { FrameIndex, MediaInfo, PictureInfo, SoundInfo } from "@reelay/contracts/Media"
import type { Rational } from "@reelay/contracts/Quantity"
import { Micros, ratio } from "@reelay/contracts/Quantity"
import { codingOrder, neverCopied } from "@reelay/render/CodingOrder"
import { MAX_PIXELS } from "@reelay/render/Safety"
import { Result } from "effect"
import { averageRate, isVariable } from "./FrameRates.ts"
import type { Frame } from "./Packets.ts"
import type { PacketTable, StreamTally } from "./PacketTable.ts"
import type { ProbeReport, ProbeStream } from "./ProbeReport.ts"

/**
 * From what ffprobe says to what planning needs: pure, so that odd files are tests of a few lines. Every function answers
 * with the facts or with the sentence that tells a person why this is no video for us.
 */
export type OrRefusal<A> = Result.Result<A, string>

/** Cameras write a handful; a file with hundreds is made to be work. */
const MAX_STREAMS = 64

const fractionOf = (text: string | undefined, separator: "/" | ":"): Rational | null => {
  const [num, den] = (text ?? "").split(separator).map(Number)
  return num !== undefined
    && den !== undefined
    && Number.isSafeInteger(num)
    && Number.isSafeInteger(den)
    && num > 0
    && den > 0
    ? ratio(num, den)
    : null
}

/** Ticks as whole microseconds, exact at any length. */
const microsOfTicks = (ticks: number, base: Rational): Micros => {
  const numerator = BigInt(ticks) * BigInt(base.num) * 1_000_000n
  const denominator = BigInt(base.den)
  const twice = 2n * numerator + denominator
  const floor =
    twice >= 0n || twice % (2n * denominator) === 0n ? twice / (2n * denominator) : twice / (2n * denominator) - 1n
  return Micros.make(Number(floor))
}

/** Seconds as ffprobe prints them. */
const microsOfText = (text: string | undefined): Micros | null => {
  const seconds = Number(text ?? "N/A")
  return Number.isFinite(seconds) ? Micros.make(Math.round(seconds * 1e6)) : null
}

/** Streams without a container around them, which alone would say when each picture is shown. */
const BARE: Record<string, string> = { h264: "H.264", hevc: "HEVC" }

/** The largest moving picture, the first of equals, as ffmpeg itself would choose. Cover images are not moving. */
export const pickVideo = (report: ProbeReport): OrRefusal<ProbeStream> => {
  const bare = BARE[report.format.format_name]
  if (bare !== undefined) {
    return Result.fail(
      `This is a bare ${bare} stream, which does not say when its pictures are shown. Put it into an MP4 or MKV first, with a tool that is told its frame rate (MP4Box, mkvmerge).`
    )
  }
  if (report.streams.length > MAX_STREAMS) {
    return Result.fail(`The file has ${report.streams.length} streams; ${MAX_STREAMS} is the most.`)
  }
  const pictures = report.streams.filter((s) => s.codec_type === "video" && s.codec_name !== undefined)
  if (pictures.length === 0) return Result.fail("The file has no video stream.")
  const area = (s: ProbeStream) => (s.width ?? 0) * (s.height ?? 0)
  const moving = pictures.filter((s) => s.disposition["attached_pic"] !== 1)
  const chosen = moving.toSorted((a, b) => area(b) - area(a))[0]
  if (chosen === undefined) return Result.fail("The only picture in the file is a cover image.")
  // ffprobe, told the limit, leaves the size of a larger one out.
  if (area(chosen) === 0 || area(chosen) > MAX_PIXELS) {
    return Result.fail("The picture is larger than can be read, or has no size.")
  }
  // Dolby Vision over a picture that is none by itself (profile 5): other decoders show it in purple and green.
  if (chosen.side_data_list.some((data) => data.dv_bl_signal_compatibility_id === 0)) {
    return Result.fail(
      "This is Dolby Vision of a kind that only its own decoders show in the right colours (profile 5). Export it as HDR10, HLG or SDR first."
    )
  }
  return Result.succeed(chosen)
}

/** Sound streams, in the order in which they would be used: as players do, those first that the file says are usual. */
export const soundStreams = (report: ProbeReport): ReadonlyArray<ProbeStream> => {
  const usual = (s: ProbeStream) => (s.disposition["default"] === 1 ? 0 : 1)
  return report.streams
    .filter(
      (s) =>
        s.codec_type === "audio" && s.codec_name !== undefined && (s.channels ?? 0) > 0 && Number(s.sample_rate) > 0
    )
    .toSorted((a, b) => usual(a) - usual(b))
}

const STILL_CODECS = new Set(["bmp", "gif", "jpegls", "mjpeg", "png", "ppm", "svg", "targa", "tiff", "webp"])

export interface PictureFacts {
  readonly report: ProbeReport
  readonly stream: ProbeStream
  /** Every packet of the stream in file order, or every decoded frame where packets have no times. */
  readonly packets: PacketTable
  /** The first frame that a decoder gives. What comes before it (a cut into a group of pictures) is never shown. */
  readonly firstShown: number
  /** From here on (ticks) nothing can be relied on: the file was cut off within a picture. Infinity: it is whole. */
  readonly broken: number
  readonly interlaced: boolean
}

/** Takes decoded frames in place of packets that have no times. One without a time follows the one before, as in ffmpeg. */
export const frameKeeper = (into: PacketTable): ((frame: Frame) => void) => {
  let next: number | null = null
  return ({ duration, key, position, pts }) => {
    const at = pts ?? next
    next = at === null ? null : at + Math.max(1, duration)
    into.add({ pts: at, duration, position, key, discard: false })
  }
}

interface Shown {
  /** Ticks, ascending. */
  readonly pts: Float64Array
  /** Positions in `pts`, ascending, and the bytes where each begins. */
  readonly keys: ReadonlyArray<number>
  readonly keyBytes: ReadonlyArray<number>
  /** Ticks; 0 where unknown. */
  readonly lastDuration: number
  readonly order: FrameIndex["order"]
}

/** Packets that are shown, in the order in which they are. Times are sorted as numbers: an object a packet would be silly. */
const shownOf = ({ broken, firstShown, packets, report, stream }: PictureFacts): Shown => {
  const times = new Float64Array(packets.length)
  const keyframes: Array<{ readonly pts: number; readonly position: number }> = []
  let count = 0
  let last = { pts: -Infinity, duration: 0 }
  for (const { discard, duration, key, position, pts } of packets) {
    if (pts === null || discard || pts < firstShown || pts >= broken) continue
    times[count++] = pts
    if (pts >= last.pts) last = { pts, duration }
    if (key) keyframes.push({ pts, position })
  }
  const coded = times.subarray(0, count)
  const pts = coded.toSorted()
  keyframes.sort((a, b) => a.pts - b.pts)
  let at = 0
  const keys = keyframes.map((key) => {
    while ((pts[at] ?? Infinity) < key.pts) at++
    return at++
  })
  return {
    pts,
    keys,
    keyBytes: keyframes.map(({ position }) => position),
    lastDuration: last.duration,
    // Of others nobody will ask.
    order:
      neverCopied(report.format.format_name, stream.codec_name ?? "") === null ? codingOrder(coded, pts) : undefined
  }
}

const rotationOf = (stream: ProbeStream): PictureInfo["rotation"] => {
  const counterclockwise = stream.side_data_list.find((data) => data.rotation !== undefined)?.rotation ?? 0
  const quarter = Math.round(-counterclockwise / 90)
  const turns: ReadonlyArray<PictureInfo["rotation"]> = [0, 90, 180, 270]
  return turns[((quarter % 4) + 4) % 4] ?? 0
}

const known = (text: string | undefined): string | null =>
  text === undefined || text === "" || text === "unknown" ? null : text

/** How much shorter than its container says a stream may be: encoders round, and the last frame's length is a guess. */
const SHORTFALL = { seconds: 0.5, part: 0.02 }

export const pictureOf = (
  facts: PictureFacts
): OrRefusal<{ readonly picture: PictureInfo; readonly index: FrameIndex }> => {
  const { stream } = facts
  const timeBase = fractionOf(stream.time_base, "/")
  const [width, height, format] = [stream.width ?? 0, stream.height ?? 0, known(stream.pix_fmt)]
  if (timeBase === null || format === null) return Result.fail("The video stream does not say how it is coded.")
  const { keyBytes, keys, lastDuration, order, pts } = shownOf(facts)
  const first = pts[0]
  const last = pts.at(-1)
  if (first === undefined || last === undefined) return Result.fail("The video stream has no frames.")
  if (pts.length === 1 && STILL_CODECS.has(stream.codec_name ?? "")) return Result.fail("This is a still image.")

  const span = last - first
  const rate = averageRate(pts.length, span, timeBase, fractionOf(stream.r_frame_rate, "/"))
  const frameTicks = Math.max(1, Math.round((rate.den * timeBase.den) / (rate.num * timeBase.num)))
  const end = last + (lastDuration > 0 ? lastDuration : frameTicks)
  const duration = microsOfTicks(end - first, timeBase)

  const declared = microsOfText(stream.duration)
  if (declared !== null && !isWhole(duration / 1e6, declared / 1e6)) return Result.fail(TRUNCATED)

  const sampleAspect = fractionOf(stream.sample_aspect_ratio, ":") ?? ratio(1)
  const rotation = rotationOf(stream)
  const square = Math.max(1, Math.round((width * sampleAspect.num) / sampleAspect.den))
  const upright = rotation === 0 || rotation === 180
  return Result.succeed({
    picture: {
      codec: stream.codec_name ?? "",
      profile: known(stream.profile),
      level: stream.level !== undefined && stream.level > 0 ? stream.level : null,
      pixelFormat: format,
      streamIndex: stream.index,
      codedWidth: width,
      codedHeight: height,
      sampleAspect,
      rotation,
      width: upright ? square : height,
      height: upright ? height : square,
      timeBase,
      zeroPts: first,
      frames: pts.length,
      frameRate: rate,
      variableFrameRate: isVariable(pts, timeBase, rate),
      interlaced: facts.interlaced || /^(tt|bb|tb|bt)$/.test(stream.field_order ?? ""),
      duration,
      longestGop: microsOfTicks(longestGop(facts.packets, end), timeBase),
      colorRange: known(stream.color_range),
      colorSpace: known(stream.color_space),
      colorTransfer: known(stream.color_transfer),
      colorPrimaries: known(stream.color_primaries)
    },
    index: { v: 1, timeBase, pts: Array.from(pts), keys, keyBytes, ...(order === undefined ? {} : { order }) }
  })
}

export const TRUNCATED = "The file is incomplete: its header promises more than is there."

/** Seconds that its header says it has; null where it says nothing, or ffmpeg guesses. */
export const promised = ({ format }: ProbeReport): number | null => {
  const micros = microsOfText(format.duration)
  return /(^|,)matroska(,|$)/.test(format.format_name) && micros !== null ? micros / 1e6 : null
}

/** Where its last packet ends, of whatever stream: seconds on the file's clock, for Matroska's lengths begin at its zero. */
export const endOf = (report: ProbeReport, tallies: ReadonlyMap<number, StreamTally>): number => {
  const ends = report.streams.flatMap((stream) => {
    const end = tallies.get(stream.index)?.end ?? null
    return end === null ? [] : [secondsOf(end, stream)]
  })
  return Math.max(0, ...ends)
}

/** Ticks of a stream as seconds. */
export const secondsOf = (ticks: number, stream: ProbeStream): number => {
  const base = fractionOf(stream.time_base, "/")
  return base === null ? 0 : (ticks * base.num) / base.den
}

/** Whether so many seconds are what a header promised. */
export const isWhole = (seconds: number, promised: number): boolean =>
  promised - seconds <= SHORTFALL.seconds + SHORTFALL.part * promised

interface Tail {
  /** Presentation time of its first packet, a key frame, in ticks. */
  readonly first: number
  /** Where to begin decoding for it, in seconds on the file's clock: a seek lands near a place only. Null: where the file does. */
  readonly from: number | null
  /** How much is decoded for it. */
  readonly seconds: number
}

/** The end of a stream, from its last key frame on. */
export const tailOf = (packets: PacketTable, stream: ProbeStream): Tail => {
  const keys: Array<number> = []
  let [begin, end] = [Infinity, -Infinity]
  for (const { key, pts } of packets) {
    if (pts === null) continue
    ;[begin, end] = [Math.min(begin, pts), Math.max(end, pts)]
    if (key) keys.push(pts)
  }
  const [earlier, last] = keys.toSorted((a, b) => a - b).slice(-2)
  const from = earlier === undefined || last === undefined ? null : secondsOf(earlier, stream) - 1
  const seconds = secondsOf(end, stream) - (from ?? secondsOf(begin, stream))
  return { first: last ?? earlier ?? begin, from, seconds }
}

/** In MP4 and MOV a table says how long each packet is: what lies beyond the file's end is known without decoding. */
export const knowsItsPackets = ({ format }: ProbeReport): boolean => /(^|,)mp4(,|$)/.test(format.format_name)

/** Ticks. Key frames that an edit list hides count: a seek steps back to them, too. */
const longestGop = (packets: PacketTable, end: number): number => {
  const keys: Array<number> = []
  for (const { key, pts } of packets) if (key && pts !== null) keys.push(pts)
  keys.sort((a, b) => a - b)
  let longest = 1
  keys.forEach((key, i) => {
    longest = Math.max(longest, (keys[i + 1] ?? end) - key)
  })
  return longest
}

export interface SoundFacts {
  readonly stream: ProbeStream
  /** Presentation time of the first decoded sample, in ticks (priming is left out by the decoder). */
  readonly first: number
  /** Where the last packet ends, in ticks. */
  readonly end: number
}

export const soundOf = (sound: SoundFacts, picture: PictureInfo): SoundInfo | null => {
  const timeBase = fractionOf(sound.stream.time_base, "/")
  if (timeBase === null || sound.end <= sound.first) return null
  const start = microsOfTicks(sound.first, timeBase)
  return {
    codec: sound.stream.codec_name ?? "",
    streamIndex: sound.stream.index,
    sampleRate: Number(sound.stream.sample_rate),
    channels: sound.stream.channels ?? 1,
    offset: Micros.make(start - microsOfTicks(picture.zeroPts, picture.timeBase)),
    duration: Micros.make(microsOfTicks(sound.end, timeBase) - start)
  }
}

/** `bytes` is the file's size. */
export const mediaOf = (
  report: ProbeReport,
  bytes: number,
  picture: PictureInfo,
  sound: SoundInfo | null
): MediaInfo => ({
  container: report.format.format_name,
  fileStart: microsOfText(report.format.start_time) ?? microsOfTicks(picture.zeroPts, picture.timeBase),
  bytes,
  picture,
  sound
})
