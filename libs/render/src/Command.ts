import type { Format } from "@reelay/contracts/Export"
import type { MadeFile, Plan, Task, Work } from "@reelay/contracts/Plan"
import type { Rational } from "@reelay/contracts/Quantity"
import { soundCodec } from "./Compile.ts"
import { encoderArguments, threadsFor } from "./Encoders.ts"
import { SOUND_BITRATE } from "./Estimate.ts"
import { frameGrid } from "./FrameGrid.ts"
import { contentTypeOf } from "./Names.ts"
import { fileUrl, mediaInput, ownInput, RUN } from "./Safety.ts"
import { heard, silenceGraph, soundGraph, soundSeek, soundtrackGraph } from "./SoundGraph.ts"
import { microsAt, SAMPLE_RATE, secondsAt } from "./Timeline.ts"
import { outputColor, videoGraph } from "./VideoGraph.ts"

/** One ffmpeg process: pure data, compared literally by golden tests. */
export interface Step {
  /** Arguments after `ffmpeg` itself. Progress goes to `-progress pipe:1`. */
  readonly argv: ReadonlyArray<string>
  /** Frames it will write, for progress; 0 when it writes none. */
  readonly frames: number
}

/** What a made file must turn out to be; checked by the encoder with ffprobe (Verify.ts) before anything is published. */
export interface Expectation {
  readonly path: string
  readonly role: MadeFile["role"]
  /** Name as an output; empty for intermediate files. */
  readonly name: string
  readonly contentType: string
  /** Null: no such stream may be there. */
  readonly video: {
    readonly codec: string
    readonly width: number
    readonly height: number
    readonly frames: number
    /** Frames per second. */
    readonly rate: Rational
  } | null
  readonly audio: { readonly codec: string; readonly samples: number } | null
}

export interface TaskCommand {
  /** Filter scripts and concat lists to write first. */
  readonly files: ReadonlyArray<{ readonly path: string; readonly text: string }>
  /** Run one after the other. */
  readonly steps: ReadonlyArray<Step>
  /** In the order of Manifest.files: the media file first. */
  readonly makes: ReadonlyArray<Expectation>
}

/** Where things are on this node while the task runs. */
export interface Places {
  /** Local path of `spec.sources[i]`. */
  readonly source: (index: number) => string
  /** Local path of the media file that a needed task made. */
  readonly made: (key: string) => string
  /** An empty folder of the task's own, on the store's file system. */
  readonly folder: string
  /** The hardware device to use, null for software. */
  readonly device: string | null
}

type WorkOf<Tag extends Work["_tag"]> = Extract<Work, { readonly _tag: Tag }>

/** The argv of every step of a task. Not for `zip`, which needs no ffmpeg. */
export const commandFor = (plan: Plan, task: Task, places: Places): TaskCommand => {
  switch (task.work._tag) {
    case "chunk":
      return chunkCommand(plan, task.work, places)
    case "sound":
      return soundCommand(plan, task.work, places)
    case "soundtrack":
      return soundtrackCommand(plan, task.work, places)
    case "mux":
      return muxCommand(plan, task.work, places)
    case "zip":
      throw new Error("a ZIP is not made by ffmpeg")
  }
}

const clipOf = (plan: Plan, position: number) => {
  const clip = plan.spec.clips[position]
  const source = clip === undefined ? undefined : plan.spec.sources[clip.source]
  if (clip === undefined || source === undefined) throw new Error(`the plan has no clip ${position}`)
  return { clip, media: source.media }
}

/** Whole microseconds as ffmpeg reads a duration. */
const micros = (value: number): string => `${value}us`

/** Ticks per second of every video track: a frame is a whole number of them, whatever the rate. */
const timescale = (rate: Rational): number => {
  let scale = rate.num
  while (scale < 10_000) scale *= 2
  return scale
}

const stripped: ReadonlyArray<string> = ["-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact"]

/**
 * Frames of a clip as a closed piece of video: MP4 for every codec, because its time stamps are exact at any rate and
 * the concat demuxer joins it without a copy of anything.
 */
const chunkCommand = (plan: Plan, work: WorkOf<"chunk">, places: Places): TaskCommand => {
  const { target } = plan.spec
  const { clip, media } = clipOf(plan, work.clip)
  const { picture } = media
  const encoder = encoderArguments({ ...target, family: plan.family, device: places.device })
  const color = outputColor(picture)
  const frames = work.to - work.from
  const graph = `${places.folder}/video.graph`
  const path = `${places.folder}/chunk.mp4`
  const argv = [
    ...RUN, "-copyts", ...encoder.global,
    ...mediaInput, "-threads", String(threadsFor(picture.codedWidth, picture.codedHeight)),
    ...(work.seek === null ? [] : ["-noaccurate_seek", "-ss", micros(work.seek)]),
    "-i", fileUrl(places.source(clip.source)),
    "-filter_complex_threads", "1", "-filter_complex_script", graph,
    "-map", "[v]", "-an", "-sn", "-dn", "-fps_mode", "passthrough", "-frames:v", String(frames),
    ...encoder.output,
    "-color_range", "tv", "-colorspace", color.matrix, "-color_primaries", color.primaries, "-color_trc", color.transfer
  ]
  const file = [...stripped, "-video_track_timescale", String(timescale(target.frameRate)), "-f", "mp4", fileUrl(path)]
  return {
    files: [{
      path: graph,
      text: videoGraph({
        picture,
        target,
        grid: frameGrid(picture.timeBase, picture.zeroPts, clip.start, target.frameRate),
        from: work.from,
        to: work.to,
        seeked: work.seek !== null,
        hold: work.hold,
        pixelFormat: encoder.pixelFormat
      })
    }],
    steps: encoder.passes === 1
      ? [{ argv: [...argv, ...file], frames }]
      : [
        { argv: [...argv, "-pass", "1", "-passlogfile", `${places.folder}/passes`, "-f", "null", "-"], frames: 0 },
        { argv: [...argv, "-pass", "2", "-passlogfile", `${places.folder}/passes`, ...file], frames }
      ],
    makes: [{
      path,
      role: "media",
      name: "",
      contentType: "video/mp4",
      video: { codec: target.codec, width: target.width, height: target.height, frames, rate: target.frameRate },
      audio: null
    }]
  }
}

/** A clip's sound as PCM. (Wave64 pads to eight bytes, which reads as one more sample; RF64 takes more than 4 GB.) */
const soundCommand = (plan: Plan, work: WorkOf<"sound">, places: Places): TaskCommand => {
  const { clip, media } = clipOf(plan, work.clip)
  const graph = `${places.folder}/sound.graph`
  const path = `${places.folder}/sound.wav`
  const opened = heard(media, clip, work.samples)
  const seek = soundSeek(media, clip)
  const input = opened
    ? [
      ...mediaInput,
      ...(seek === null ? [] : ["-noaccurate_seek", "-ss", micros(seek)]),
      "-i", fileUrl(places.source(clip.source))
    ]
    : []
  return {
    files: [{ path: graph, text: opened ? soundGraph(media, clip, work.samples) : silenceGraph(work.samples) }],
    steps: [{
      argv: [
        ...RUN, "-copyts", ...input, "-filter_complex_threads", "1", "-filter_complex_script", graph,
        "-map", "[a]", "-vn", "-c:a", "pcm_s16le", "-bitexact", ...stripped, "-rf64", "auto", "-f", "wav", fileUrl(path)
      ],
      frames: 0
    }],
    makes: [{
      path,
      role: "media",
      name: "",
      contentType: "audio/wav",
      video: null,
      audio: { codec: "pcm_s16le", samples: work.samples }
    }]
  }
}

/** All of a file's sound, encoded once: encoding piece by piece drifts and clicks at every join. */
const soundtrackCommand = (plan: Plan, work: WorkOf<"soundtrack">, places: Places): TaskCommand => {
  const codec = soundCodec(plan.spec)
  const list = `${places.folder}/sound.list`
  const graph = `${places.folder}/soundtrack.graph`
  const path = `${places.folder}/soundtrack.${codec === "aac" ? "m4a" : "webm"}`
  const encoder = codec === "aac" ? ["-c:a", "aac"] : ["-c:a", "libopus"]
  return {
    files: [
      { path: list, text: concatList(work.pieces.map((key) => ({ path: places.made(key) }))) },
      { path: graph, text: soundtrackGraph(work.samples) }
    ],
    steps: [{
      argv: [
        ...RUN, ...joined(list), "-filter_complex_threads", "1", "-filter_complex_script", graph,
        "-map", "[a]", "-vn", ...encoder, "-b:a", String(SOUND_BITRATE[codec]), "-ar", String(SAMPLE_RATE), "-bitexact",
        ...stripped, "-f", codec === "aac" ? "mp4" : "webm", fileUrl(path)
      ],
      frames: 0
    }],
    makes: [{
      path,
      role: "media",
      name: "",
      contentType: codec === "aac" ? "audio/mp4" : "audio/webm",
      video: null,
      audio: { codec, samples: work.samples }
    }]
  }
}

/** What each container wants at the end. */
const CONTAINER = {
  mp4: ["-movflags", "+faststart", "-f", "mp4"],
  mov: ["-movflags", "+faststart", "-f", "mov"],
  webm: ["-cues_to_front", "1", "-f", "webm"]
} as const

/**
 * The joints of chunks are reckoned in microseconds: in MP4 each time stamp goes back to the frame's own tick. WebM
 * rounds to milliseconds anyway; there the last packet of Opus is padded, which must not outlast the picture.
 */
const exactTimes = (format: Format, rate: Rational, samples: number | null): ReadonlyArray<string> => {
  if (format === "webm") {
    if (samples === null) return []
    const end = Math.round((samples * 1000) / SAMPLE_RATE)
    return ["-bsf:a", `setts=duration='min(DURATION,max(1,${end}-PTS))'`]
  }
  const scale = timescale(rate)
  const frame = (scale / rate.num) * rate.den
  return ["-bsf:v", `setts=pts='round(PTS/${frame})*${frame}':dts='round(DTS/${frame})*${frame}'`, "-video_track_timescale", String(scale)]
}

const POSTER_WIDTH = 640

/** Chunks and soundtrack into the finished file, without encoding anything again; then its poster. */
const muxCommand = (plan: Plan, work: WorkOf<"mux">, places: Places): TaskCommand => {
  const { target } = plan.spec
  const rate = target.frameRate
  const list = `${places.folder}/chunks.list`
  const path = `${places.folder}/output.${target.format}`
  const poster = `${places.folder}/poster.jpg`
  const size = posterSize(target.width, target.height)
  const sound = work.soundtrack === null ? null : places.made(work.soundtrack)
  const samples = sound === null ? 0 : samplesOf(plan, work)
  return {
    files: [{ path: list, text: concatList(chunkParts(plan, work, places)) }],
    steps: [
      {
        argv: [
          ...RUN, ...joined(list), ...(sound === null ? [] : [...ownInput, "-i", fileUrl(sound)]),
          "-map", "0:v:0", ...(sound === null ? [] : ["-map", "1:a:0"]), "-c", "copy",
          ...exactTimes(target.format, rate, sound === null ? null : samples),
          ...(target.codec === "hevc" ? ["-tag:v", "hvc1"] : []),
          ...stripped, ...CONTAINER[target.format], fileUrl(path)
        ],
        frames: 0
      },
      {
        argv: [
          ...RUN, ...ownInput, "-ss", posterTime(work.frames, rate), "-i", fileUrl(path), "-map", "0:v:0", "-frames:v", "1",
          "-vf", `scale=${size.width}:${size.height}:flags=bicubic+accurate_rnd+bitexact:out_range=pc,format=yuvj420p`,
          "-c:v", "mjpeg", "-q:v", "4", "-threads", "1", "-bitexact", ...stripped, "-f", "image2", "-update", "1", fileUrl(poster)
        ],
        frames: 0
      }
    ],
    makes: [
      {
        path,
        role: "media",
        name: work.name,
        contentType: contentTypeOf(target.format),
        video: { codec: target.codec, width: target.width, height: target.height, frames: work.frames, rate },
        audio: sound === null ? null : { codec: soundCodec(plan.spec), samples }
      },
      {
        path: poster,
        role: "poster",
        name: "",
        contentType: "image/jpeg",
        video: { codec: "mjpeg", ...size, frames: 1, rate },
        audio: null
      }
    ]
  }
}

const samplesOf = (plan: Plan, work: WorkOf<"mux">): number => {
  const soundtrack = plan.tasks.find((task) => task.key === work.soundtrack)?.work
  return soundtrack?._tag === "soundtrack" ? soundtrack.samples : 0
}

/** A frame near a tenth of the way, half a frame early so that rounding cannot miss it. Decimal seconds. */
const posterTime = (frames: number, rate: Rational): string =>
  Math.max(0, secondsAt(Math.floor(frames / 10) - 0.5, rate)).toFixed(6)

const posterSize = (width: number, height: number): { readonly width: number; readonly height: number } =>
  width <= POSTER_WIDTH
    ? { width, height }
    : { width: POSTER_WIDTH, height: Math.max(2, 2 * Math.round((POSTER_WIDTH * height) / width / 2)) }

const joined = (list: string): ReadonlyArray<string> => [
  ...ownInput, "-f", "concat", "-safe", "0", "-auto_convert", "0", "-i", fileUrl(list)
]

interface Part {
  readonly path: string
  /** Whole microseconds; absent: what the file says, which for MP4 is rounded to milliseconds. */
  readonly duration?: number
}

/** A script of the concat demuxer. */
const concatList = (parts: ReadonlyArray<Part>): string =>
  [
    "ffconcat version 1.0",
    ...parts.flatMap(({ path, duration }) => [
      `file '${fileUrl(path).replaceAll("'", "'\\''")}'`,
      ...(duration === undefined ? [] : [`duration ${micros(duration)}`])
    ]),
    ""
  ].join("\n")

/** Chunks with their lengths, rounded where they end on the file's clock: no error adds up. */
const chunkParts = (plan: Plan, work: WorkOf<"mux">, places: Places): ReadonlyArray<Part> => {
  const frames = new Map(plan.tasks.map((task) => [task.key, task.frames]))
  const rate = plan.spec.target.frameRate
  let [end, clock] = [0, 0]
  return work.chunks.map((key) => {
    const start = clock
    end += frames.get(key) ?? 0
    clock = microsAt(end, rate)
    return { path: places.made(key), duration: clock - start }
  })
}
