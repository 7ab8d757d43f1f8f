import { Option, Schema } from "effect"
import { argv } from "./Argv.ts"
import { mayBeDamaged } from "./Damage.ts"
import { fileUrl, ownInput } from "./Safety.ts"
import type { Expectation } from "./TaskCommand.ts"
import { SAMPLE_RATE, secondsAt } from "./Timeline.ts"

/**
 * Whether a made file is what the plan says. ffmpeg ends with 0 and a truncated file when it is stopped, and with a
 * wrong number of frames when a seek misses: nothing is published on its word. Read are the header and every packet, and
 * a decoder's opinion is asked of the key frames, or of the seams where pieces were joined (it must say nothing). An hour
 * is 280,000 packets, so lines are folded as they come; starting a process costs half of what a chunk's reading takes, so
 * all of that is one where it can be.
 */

const STREAM = "index,codec_type,codec_name,width,height,sample_rate,channels,start_time,sample_aspect_ratio"
const FACTS = `stream=${STREAM}:stream_side_data=rotation:packet=stream_index,pts_time,duration_time,flags`

/** Pictures in one piece: their key frames are decoded while their packets are read. */
const decodesWhileReading = ({ audio, role, seams, video }: Expectation): boolean =>
  video !== null && audio === null && role === "media" && seams.length === 0

/** ffprobe: streams and packets, a line each, for a `Reading`. Anything on stderr is a difference. */
export const readArguments = (made: Expectation): ReadonlyArray<string> =>
  decodesWhileReading(made)
    ? argv`-v error ${ownInput} -skip_frame nokey -show_entries ${FACTS}:frame=key_frame -of compact ${fileUrl(made.path)}`
    : argv`-v error ${ownInput} -show_entries ${FACTS} -of compact ${fileUrl(made.path)}`

export interface DecodeCheck {
  readonly program: "ffmpeg" | "ffprobe"
  readonly argv: ReadonlyArray<string>
  /** Whether what it says on stderr is a difference. */
  readonly complains: (said: string) => boolean
}

const anything = (said: string): boolean => said.trim() !== ""

/** Frames decoded after a seam. Before it, decoding begins at the key frame that a seek finds: up to two seconds. */
const AFTER_SEAM = 12
/** Nothing else of the export runs beside it. */
const THREADS = 2
/** Of what was copied so many key frames are decoded, spread over it: the packets are the source's, which somebody plays. */
const KEYS = 24
/** Beyond this many seams only every second, third … is decoded: an argument has its limits. */
const MAX_SEAMS = 2000

/**
 * Decodes what may be wrong: the key frames of what is in one piece, every seam of what was joined. An exit code is a
 * difference. Null where there is nothing to decode, or reading has done it.
 */
export const decodeCheck = (made: Expectation): DecodeCheck | null => {
  const { copied = [], path, role, seams, video } = made
  if (video === null || role !== "media" || decodesWhileReading(made)) return null
  if (seams.length === 0 && copied.length === 0) {
    const head = argv`-hide_banner -nostdin -v error -xerror ${ownInput} -skip_frame nokey`
    return { program: "ffmpeg", argv: argv`${head} -i ${fileUrl(path)} -map 0:v:0 -f null -`, complains: anything }
  }
  const stride = Math.ceil(seams.length / MAX_SEAMS)
  const at = (frame: number) => secondsAt(frame, video.rate).toFixed(6)
  const intervals = seams
    .filter((_, i) => i % stride === 0)
    .map((seam) => `${at(Math.max(0, seam - 1))}%${at(seam + AFTER_SEAM)}`)
  const keys = copied.flatMap(({ from, to }) => {
    const count = Math.max(1, Math.round(KEYS / copied.length))
    return Array.from({ length: count }, (_, n) => `${at(from + Math.floor(((to - from) * (n + 0.5)) / count))}%+#1`)
  })
  return {
    program: "ffprobe",
    // What a source's own groups of pictures lack when one begins in their midst is nothing that copying has done to them.
    complains: copied.length === 0 ? anything : mayBeDamaged,
    argv: argv`
      -v error -threads ${THREADS} ${ownInput} -select_streams v:0 -read_intervals ${[...intervals, ...keys].join(",")}
      -show_entries frame=key_frame -of csv=p=0 ${fileUrl(path)}`
  }
}

const Whole = Schema.FiniteFromString.check(Schema.isInt())

/** A stream by ffprobe's names. What a kind of stream has not is not said, or "N/A" or "unknown". */
const StreamFacts = Schema.Struct({
  index: Whole,
  codec_type: Schema.optionalKey(Schema.String),
  codec_name: Schema.optionalKey(Schema.String),
  width: Schema.optionalKey(Whole),
  height: Schema.optionalKey(Whole),
  sample_rate: Schema.optionalKey(Whole),
  channels: Schema.optionalKey(Whole),
  start_time: Schema.optionalKey(Schema.FiniteFromString),
  sample_aspect_ratio: Schema.optionalKey(Schema.String),
  rotation: Schema.optionalKey(Schema.FiniteFromString)
})
type StreamFacts = typeof StreamFacts.Type
const decodeStream = Schema.decodeUnknownOption(StreamFacts)

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

interface MutableTally {
  packets: number
  keyFrames: number
  bad: number
  first: number
  end: number
  times: Array<number>
}

/** What `readArguments` says of a file: folds its lines, in whatever pieces they come. */
export class Reading {
  #rest = ""
  readonly #streams: Array<StreamFacts> = []
  readonly #packets = new Map<number, MutableTally>()
  /** Lines that are not understood: none, or ffprobe is not the one that this was written for. */
  #strange = 0

  /** Text as it comes from the process. */
  feed(text: string): void {
    const lines = (this.#rest + text).split("\n")
    this.#rest = lines.pop() ?? ""
    for (const line of lines) this.#line(line)
  }

  /** Once all text has been fed. */
  end(): Read {
    this.#line(this.#rest)
    this.#rest = ""
    for (const stream of this.#packets.values()) stream.times.sort((a, b) => a - b)
    return { streams: this.#streams, packets: this.#packets, strange: this.#strange }
  }

  #line(line: string): void {
    const [section, ...members] = line.split("|")
    if (section !== "packet" && section !== "stream") return
    const facts: Record<string, string> = {}
    for (const member of members) {
      const at = member.indexOf("=")
      const value = member.slice(at + 1)
      if (at > 0 && value !== "N/A" && value !== "unknown") facts[member.slice(0, at)] = value
    }
    if (section === "packet") return this.#packet(facts)
    const stream = decodeStream(facts)
    if (Option.isSome(stream)) this.#streams.push(stream.value)
    else this.#strange++
  }

  #packet(facts: Readonly<Record<string, string>>): void {
    const index = Number(facts["stream_index"])
    let stream = this.#packets.get(index)
    if (stream === undefined) {
      stream = { packets: 0, keyFrames: 0, bad: 0, first: Infinity, end: -Infinity, times: [] }
      this.#packets.set(index, stream)
    }
    const flags = facts["flags"] ?? ""
    const time = Number.parseFloat(facts["pts_time"] ?? "")
    stream.packets++
    if (flags.startsWith("K")) stream.keyFrames++
    if (!Number.isFinite(time) || flags.includes("C")) {
      stream.bad++
      return
    }
    stream.times.push(time)
    stream.first = Math.min(stream.first, time)
    stream.end = Math.max(stream.end, time + (Number.parseFloat(facts["duration_time"] ?? "") || 0))
  }
}

export interface Read {
  readonly streams: ReadonlyArray<StreamFacts>
  /** By the stream's index. */
  readonly packets: ReadonlyMap<number, StreamTally>
  readonly strange: number
}

/** Time stamps are printed to the microsecond; WebM keeps whole milliseconds. Seconds. */
const clockOf = (contentType: string): number => (contentType === "video/webm" ? 0.000_6 : 0.000_001)
/** A codec's frame of sound: what a container may round a soundtrack's length to (AAC 1024, Opus 960 samples), twice. */
const SOUND_SLACK = 2048 / SAMPLE_RATE

/** Everything in which the file differs from what was planned, said for an operator; empty when it is right. */
export const differences = (expected: Expectation, { packets, strange, streams: all }: Read): ReadonlyArray<string> => {
  const found: Array<string> = []
  const clock = clockOf(expected.contentType)
  const check = (what: string, want: unknown, got: unknown) => {
    if (want !== got) found.push(`${what}: ${String(want)} expected, ${String(got)} found`)
  }
  const streams = (type: string) => all.filter((stream) => stream.codec_type === type)
  check("streams that are not understood", 0, strange)
  check("streams", (expected.video === null ? 0 : 1) + (expected.audio === null ? 0 : 1), all.length)
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
    check("rotation", 0, video.rotation ?? 0)
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
