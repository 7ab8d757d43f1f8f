import type { Family, Mode, Quality, VideoCodec } from "@reelay/contracts/Export"
import type { Rational } from "@reelay/contracts/Quantity"
import { argv } from "./Argv.ts"
import { gopFrames } from "./Chunks.ts"
import { ceilingOf } from "./Estimate.ts"

/**
 * Codec × family × mode × quality → encoder arguments. Every encoder is asked for the same thing: constant quality under
 * a ceiling (average rate control in chunks costs up to 2 dB at the worst frame), closed GOPs of two seconds with key
 * frames nowhere else, 8-bit 4:2:0. `mode` is effort alone, `quality` is rate alone.
 */
export interface EncoderRequest {
  readonly family: Family
  readonly codec: VideoCodec
  readonly mode: Mode
  readonly quality: Quality
  readonly width: number
  readonly height: number
  readonly frameRate: Rational
  /** What the node calls the device: an index (NVENC), a render node (QSV). Null: the encoder's default. */
  readonly device: string | null
}

export interface EncoderArguments {
  /** Before any input: devices. */
  readonly global: ReadonlyArray<string>
  /** Output options of the video stream. */
  readonly output: ReadonlyArray<string>
  /** What the filter graph must deliver. */
  readonly pixelFormat: "yuv420p" | "nv12"
  /** 2: the same arguments twice, `-pass 1` and `-pass 2`. */
  readonly passes: 1 | 2
}

/** First choice first; a node uses the first rung that its probe proved. */
export const LADDER: ReadonlyArray<Family> = ["nvenc", "qsv", "amf", "videotoolbox", "software"]

const ENCODERS: Record<Family, Partial<Record<VideoCodec, string>>> = {
  nvenc: { h264: "h264_nvenc", hevc: "hevc_nvenc", av1: "av1_nvenc" },
  qsv: { h264: "h264_qsv", hevc: "hevc_qsv", vp9: "vp9_qsv", av1: "av1_qsv" },
  amf: { h264: "h264_amf", hevc: "hevc_amf", av1: "av1_amf" },
  videotoolbox: { h264: "h264_videotoolbox", hevc: "hevc_videotoolbox" },
  software: { h264: "libx264", hevc: "libx265", vp9: "libvpx-vp9", av1: "libsvtav1" }
}

/** ffmpeg's name of the encoder; null when the family has none for the codec. */
export const encoderName = (family: Family, codec: VideoCodec): string | null => ENCODERS[family][codec] ?? null

/** Constant rate factor (software) or constant quality (hardware), on the scale that x264 and most others share. */
const RATE = { high: 18, medium: 23, low: 28 } as const satisfies Record<Quality, number>
/** The same steps on the scale of VP9 and AV1, 0…63: equal PSNR, measured on film at 720p. */
const RATE_63 = { high: 28, medium: 36, low: 44 } as const satisfies Record<Quality, number>
/** VideoToolbox' scale runs the other way, 1…100. */
const RATE_APPLE = { high: 68, medium: 54, low: 42 } as const satisfies Record<Quality, number>

const X26X_PRESET = { fast: "ultrafast", balanced: "fast", quality: "slow" } as const satisfies Record<Mode, string>
const VP9_SPEED = { fast: "5", balanced: "3", quality: "1" } as const satisfies Record<Mode, string>
const SVT_PRESET = { fast: "10", balanced: "8", quality: "5" } as const satisfies Record<Mode, string>
const NVENC_PRESET = { fast: "p1", balanced: "p4", quality: "p7" } as const satisfies Record<Mode, string>
const QSV_PRESET = { fast: "veryfast", balanced: "medium", quality: "slower" } as const satisfies Record<Mode, string>
const AMF_QUALITY = { fast: "speed", balanced: "balanced", quality: "quality" } as const satisfies Record<Mode, string>

const NONE: ReadonlyArray<string> = []

/**
 * Threads of one encoder: a constant of the picture's size, never of the machine, because another number of threads makes
 * other bytes. Parallelism comes from chunks.
 */
export const threadsFor = (width: number, height: number): number => {
  const pixels = width * height
  return pixels <= 1280 * 720 * 1.2 ? 1 : pixels <= 1920 * 1080 * 1.5 ? 2 : 4
}

/** Slots that a chunk of this size takes on a node. */
export const weightFor = (width: number, height: number): number => (width * height <= 1920 * 1080 * 1.5 ? 1 : 2)

/** Throws when the family has no such encoder: the planner only asks for pools that exist. */
export const encoderArguments = (request: EncoderRequest): EncoderArguments => {
  const name = encoderName(request.family, request.codec)
  if (name === null) throw new Error(`${request.family} has no ${request.codec} encoder`)
  const builder = request.family === "software" ? SOFTWARE[request.codec] : HARDWARE[request.family]
  const { output, ...rest } = builder(request)
  return {
    global: NONE,
    passes: 1,
    ...rest,
    output: argv`-c:v ${name} ${output} ${tagFor(request.codec)} -bitexact`
  }
}

type Builder = (request: EncoderRequest) => {
  readonly global?: ReadonlyArray<string>
  readonly passes?: 2
  readonly output: ReadonlyArray<string>
  readonly pixelFormat: EncoderArguments["pixelFormat"]
}

/** Apple's players want HEVC with its parameter sets outside the stream, and named so. */
const tagFor = (codec: VideoCodec): ReadonlyArray<string> => (codec === "hevc" ? argv`-tag:v hvc1` : NONE)

const gop = (request: EncoderRequest): ReadonlyArray<string> => {
  const frames = gopFrames(request.frameRate)
  return argv`-g ${frames} -keyint_min ${frames}`
}

/**
 * The buffer starts nearly full, and what is in it comes on top of a chunk's rate: with half a second of buffer and this
 * headroom every chunk of 2.6 s or more keeps its average under the ceiling.
 */
const HEADROOM = 0.85
const peak = (request: EncoderRequest): number => Math.round(ceilingOf(request) * HEADROOM)
const ceiling = (request: EncoderRequest): ReadonlyArray<string> =>
  argv`-maxrate ${peak(request)} -bufsize ${Math.round(peak(request) / 2)}`

const threads = (request: EncoderRequest): number => threadsFor(request.width, request.height)

const SOFTWARE: Record<VideoCodec, Builder> = {
  h264: (request) => ({
    pixelFormat: "yuv420p",
    output: argv`
      -preset ${X26X_PRESET[request.mode]} -profile:v high -crf ${RATE[request.quality]} ${ceiling(request)}
      ${gop(request)} -sc_threshold 0 -flags +cgop -threads ${threads(request)}`
  }),
  hevc: (request) => {
    const frames = gopFrames(request.frameRate)
    const keys = `open-gop=0:scenecut=0:keyint=${frames}:min-keyint=${frames}`
    return {
      pixelFormat: "yuv420p",
      output: argv`
        -preset ${X26X_PRESET[request.mode]} -profile:v main -crf ${RATE[request.quality]} ${ceiling(request)}
        ${gop(request)} -threads ${threads(request)}
        -x265-params log-level=error:info=0:pools=${threads(request)}:${keys}`
    }
  },
  vp9: (request) => ({
    pixelFormat: "yuv420p",
    // In one pass libvpx neither looks ahead nor keeps to a ceiling (it took 2.2 times as much on noise). With the
    // target rate as the ceiling it is "constrained quality". No row-mt: its speed features depend on who comes first.
    passes: 2,
    output: argv`
      -deadline good -cpu-used ${VP9_SPEED[request.mode]} -crf ${RATE_63[request.quality]} -b:v ${peak(request)}
      ${gop(request)} -tile-columns ${Math.log2(threads(request))} -auto-alt-ref 1 -lag-in-frames 25
      -threads ${threads(request)}`
  }),
  av1: (request) => ({
    pixelFormat: "yuv420p",
    output: argv`
      -preset ${SVT_PRESET[request.mode]} -crf ${RATE_63[request.quality]} ${gop(request)}
      -svtav1-params lp=${threads(request)}:scd=0`
  })
}

const HARDWARE: Record<Exclude<Family, "software">, Builder> = {
  nvenc: (request) => ({
    pixelFormat: "nv12",
    output: argv`
      ${request.device === null ? NONE : argv`-gpu ${request.device}`}
      -preset ${NVENC_PRESET[request.mode]} -tune hq -rc vbr -cq ${RATE[request.quality]} -b:v 0 ${ceiling(request)}
      ${gop(request)} -forced-idr 1 -no-scenecut 1 -strict_gop 1`
  }),
  qsv: (request) => ({
    ...(request.device === null ? {} : { global: argv`-qsv_device ${request.device}` }),
    pixelFormat: "nv12",
    output: argv`
      -preset ${QSV_PRESET[request.mode]} -global_quality ${RATE[request.quality]} -look_ahead 0 ${ceiling(request)}
      ${gop(request)} -idr_interval 0 -flags +cgop`
  }),
  amf: (request) => {
    const rate = RATE[request.quality]
    return {
      pixelFormat: "nv12",
      // vbr_latency averages over a chunk, which is what chunks must not do: constant quantisers instead.
      output: argv`
        -usage transcoding -quality ${AMF_QUALITY[request.mode]} -rc cqp -qp_i ${rate} -qp_p ${rate + 2}
        ${request.codec === "h264" ? argv`-qp_b ${rate + 4}` : NONE} ${gop(request)}`
    }
  },
  videotoolbox: (request) => ({
    pixelFormat: "nv12",
    output: argv`
      -allow_sw 0 -realtime ${request.mode === "fast" ? 1 : 0} -q:v ${RATE_APPLE[request.quality]} ${gop(request)}`
  })
}

/**
 * A short real encode that proves a rung: `-encoders` lists what was compiled in, not what works. NVENC refuses tiny
 * pictures, hence 256×256. Exit 0 means that it works.
 */
export const probeArguments = (family: Family, codec: VideoCodec, device: string | null): ReadonlyArray<string> => {
  const encoder = encoderArguments({
    family,
    codec,
    device,
    frameRate: { num: 30, den: 1 },
    mode: "fast",
    quality: "medium",
    width: 256,
    height: 256
  })
  return argv`
    -hide_banner -nostdin -v error ${encoder.global} -f lavfi -i testsrc2=size=256x256:rate=30 -frames:v 6
    -vf format=${encoder.pixelFormat} -an ${encoder.output} -f null -`
}
