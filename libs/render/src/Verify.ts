import { Schema } from "effect"
import { argv } from "./Argv.ts"
import type { Expectation } from "./Command.ts"
import { fileUrl, ownInput } from "./Safety.ts"
import { SAMPLE_RATE, secondsAt } from "./Timeline.ts"

/**
 * Whether a made file is what the plan says. ffmpeg ends with 0 and a truncated file when it is stopped, and with a
 * wrong number of frames when a seek misses: nothing is published on its word. Three readings: the header (`ffprobe`,
 * JSON), every packet (`ffprobe`, lines, folded as they come: an hour is 280,000 of them), and a decoder's opinion of the
 * key frames, or of the seams where pieces were joined (which must say nothing).
 */

const STREAM_FACTS = "index,codec_type,codec_name,width,height,sample_rate,channels,start_time,sample_aspect_ratio"
const FACTS = `stream=${STREAM_FACTS}:stream_side_data=rotation:format=format_name,duration,size`

/** ffprobe: streams and container. Its stdout is decoded with `Probe`. */
export const probeArguments = (path: string): ReadonlyArray<string> =>
  argv`-v error ${ownInput} -show_entries ${FACTS} -of json=compact=1 ${fileUrl(path)}`

/** ffprobe: one line a packet, `stream,pts seconds,duration seconds,flags`, for a `PacketTally`. */
export const packetArguments = (path: string): ReadonlyArray<string> =>
  argv`-v error ${ownInput} -show_entries packet=stream_index,pts_time,duration_time,flags -of csv=p=0 ${fileUrl(path)}`

export interface DecodeCheck {
  readonly program: "ffmpeg" | "ffprobe"
  readonly argv: ReadonlyArray<string>
}

/** Frames decoded after a seam. Before it, decoding begins at the key frame that a seek finds: up to two seconds. */
const AFTER_SEAM = 12
/** Beyond this many seams only every second, third … is decoded: an argument has its limits. */
const MAX_SEAMS = 2000

/**
 * Decodes what may be wrong: the key frames of a piece, every seam of what was joined. Anything on stderr is a
 * difference, as is an exit code. Null where there is nothing to decode.
 */
export const decodeCheck = ({ path, role, video, seams }: Expectation): DecodeCheck | null => {
  if (video === null || role !== "media") return null
  if (seams.length === 0) {
    const head = argv`-hide_banner -nostdin -v error -xerror ${ownInput} -skip_frame nokey`
    return { program: "ffmpeg", argv: argv`${head} -i ${fileUrl(path)} -map 0:v:0 -f null -` }
  }
  const stride = Math.ceil(seams.length / MAX_SEAMS)
  const at = (frame: number) => secondsAt(frame, video.rate).toFixed(6)
  const intervals = seams
    .filter((_, i) => i % stride === 0)
    .map((seam) => `${at(Math.max(0, seam - 1))}%${at(seam + AFTER_SEAM)}`)
  return {
    program: "ffprobe",
    argv: argv`
      -v error ${ownInput} -select_streams v:0 -read_intervals ${intervals.join(",")}
      -show_entries frame=key_frame -of csv=p=0 ${fileUrl(path)}`
  }
}

const Decimal = Schema.FiniteFromString

export const Probe = Schema.fromJsonString(
  Schema.Struct({
    streams: Schema.Array(
      Schema.Struct({
        index: Schema.Int,
        codec_type: Schema.optionalKey(Schema.String),
        codec_name: Schema.optionalKey(Schema.String),
        width: Schema.optionalKey(Schema.Int),
        height: Schema.optionalKey(Schema.Int),
        sample_rate: Schema.optionalKey(Decimal),
        channels: Schema.optionalKey(Schema.Int),
        start_time: Schema.optionalKey(Decimal),
        sample_aspect_ratio: Schema.optionalKey(Schema.String),
        side_data_list: Schema.optionalKey(Schema.Array(Schema.Struct({ rotation: Schema.optionalKey(Schema.Finite) })))
      })
    ),
    format: Schema.Struct({
      format_name: Schema.String,
      duration: Schema.optionalKey(Decimal),
      size: Schema.optionalKey(Decimal)
    })
  })
)
export type Probe = typeof Probe.Type

/** What the packets of one stream add up to. Seconds. */
export interface StreamTally {
  readonly packets: number
  readonly keyFrames: number
  /** Packets without a presentation time, or marked corrupt. */
  readonly bad: number
  readonly first: number
  /** End of the last. */
  readonly end: number
  /** Times of the packets, in the order of presentation; empty for sound. */
  readonly times: ReadonlyArray<number>
}

/** Folds the lines of `packetArguments`, in whatever pieces they come. */
export class PacketTally {
  #rest = ""
  readonly #streams = new Map<
    number,
    { packets: number; keyFrames: number; bad: number; first: number; end: number; times: Array<number> }
  >()

  /** Text as it comes from the process. */
  feed(text: string): void {
    const lines = (this.#rest + text).split("\n")
    this.#rest = lines.pop() ?? ""
    for (const line of lines) this.#line(line)
  }

  /** Streams by their index, once all text has been fed. */
  end(): ReadonlyMap<number, StreamTally> {
    this.#line(this.#rest)
    this.#rest = ""
    for (const stream of this.#streams.values()) stream.times.sort((a, b) => a - b)
    return this.#streams
  }

  #line(line: string): void {
    const [index, pts, duration, flags] = line.trim().split(",")
    if (index === undefined || index === "") return
    const stream = this.#streams.get(Number(index)) ?? {
      packets: 0,
      keyFrames: 0,
      bad: 0,
      first: Infinity,
      end: -Infinity,
      times: []
    }
    this.#streams.set(Number(index), stream)
    const time = Number.parseFloat(pts ?? "")
    stream.packets++
    if (flags?.startsWith("K")) stream.keyFrames++
    if (!Number.isFinite(time) || flags?.includes("C")) {
      stream.bad++
      return
    }
    stream.times.push(time)
    stream.first = Math.min(stream.first, time)
    stream.end = Math.max(stream.end, time + (Number.parseFloat(duration ?? "") || 0))
  }
}

/** Time stamps are printed to the microsecond; WebM keeps whole milliseconds. Seconds. */
const clockOf = (contentType: string): number => (contentType === "video/webm" ? 0.000_6 : 0.000_001)
/** A codec's frame of sound: what a container may round a soundtrack's length to (AAC 1024, Opus 960 samples), twice. */
const SOUND_SLACK = 2048 / SAMPLE_RATE

/** Everything in which the file differs from what was planned, said for an operator; empty when it is right. */
export const differences = (
  expected: Expectation,
  probe: Probe,
  packets: ReadonlyMap<number, StreamTally>
): ReadonlyArray<string> => {
  const found: Array<string> = []
  const clock = clockOf(expected.contentType)
  const check = (what: string, want: unknown, got: unknown) => {
    if (want !== got) found.push(`${what}: ${String(want)} expected, ${String(got)} found`)
  }
  const streams = (type: string) => probe.streams.filter((stream) => stream.codec_type === type)
  check("streams", (expected.video === null ? 0 : 1) + (expected.audio === null ? 0 : 1), probe.streams.length)
  check("video streams", expected.video === null ? 0 : 1, streams("video").length)
  check("audio streams", expected.audio === null ? 0 : 1, streams("audio").length)

  const [video] = streams("video")
  if (expected.video !== null && video !== undefined) {
    const want = expected.video
    const tally = packets.get(video.index)
    check("video codec", want.codec, video.codec_name)
    check("width", want.width, video.width)
    check("height", want.height, video.height)
    check("frames", want.frames, tally?.packets ?? 0)
    check("bad packets", 0, tally?.bad ?? 0)
    check("pixel shape", "1:1", video.sample_aspect_ratio === "0:1" ? "1:1" : (video.sample_aspect_ratio ?? "1:1"))
    check("rotation", 0, video.side_data_list?.find((data) => data.rotation !== undefined)?.rotation ?? 0)
    if (expected.role === "media" && tally !== undefined) {
      if (tally.keyFrames === 0) found.push("no key frame")
      found.push(...unevenTimes(tally.times, want.rate, clock))
    }
  }

  const [audio] = streams("audio")
  if (expected.audio !== null && audio !== undefined) {
    const want = expected.audio
    const tally = packets.get(audio.index)
    check("audio codec", want.codec, audio.codec_name)
    check("sample rate", SAMPLE_RATE, audio.sample_rate)
    check("channels", 2, audio.channels)
    const end = tally?.end ?? 0
    const wanted = want.samples / SAMPLE_RATE
    const slack = want.codec.startsWith("pcm_") ? 1 / SAMPLE_RATE : SOUND_SLACK
    if (Math.abs(end - wanted) > slack) found.push(`sound: ${wanted.toFixed(4)} s expected, ${end.toFixed(4)} s found`)
    if (Math.abs(audio.start_time ?? 0) > SOUND_SLACK) found.push(`sound starts at ${audio.start_time} s`)
  }
  return found
}

/** Frame n must be shown at n/R: the first that is not, if any. */
const unevenTimes = (
  times: ReadonlyArray<number>,
  rate: { readonly num: number; readonly den: number },
  clock: number
): ReadonlyArray<string> => {
  const frame = times.findIndex((time, n) => Math.abs(time - secondsAt(n, rate)) > clock)
  return frame < 0
    ? []
    : [`frame ${frame} is shown at ${times[frame]?.toFixed(6)} s instead of ${secondsAt(frame, rate).toFixed(6)} s`]
}
