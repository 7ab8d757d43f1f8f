import type { Mode, VideoCodec } from "@reelay/contracts/Export"
import { argv } from "../Argv.ts"
import { gopFrames } from "../Chunks.ts"
import { ceiling, type EncoderFamily, type EncoderRequest, gop, peak, RATE, RATE_63, type Told } from "./Family.ts"

const X26X_PRESET = { fast: "ultrafast", balanced: "fast", quality: "slow" } as const satisfies Record<Mode, string>
const VP9_SPEED = { fast: "5", balanced: "3", quality: "1" } as const satisfies Record<Mode, string>
const SVT_PRESET = { fast: "10", balanced: "8", quality: "5" } as const satisfies Record<Mode, string>

/**
 * Threads of one encoder: a constant of the picture's size, never of the machine, because another number of threads makes
 * other bytes. Parallelism comes from chunks.
 */
export const threadsFor = (width: number, height: number): number => {
  const pixels = width * height
  return pixels <= 1280 * 720 * 1.2 ? 1 : pixels <= 1920 * 1080 * 1.5 ? 2 : 4
}

const threads = ({ height, width }: EncoderRequest): number => threadsFor(width, height)

/** The last few frames of a clip alone come out up to 0.3 dB worse than at the end of a chunk: a step finer makes up for it. */
const rateOf = ({ edge, quality }: EncoderRequest): number => RATE[quality] - (edge === undefined ? 0 : 1)

/** Of 8-bit 4:2:0, which all copied pictures are. */
const profileOf = ({ edge }: EncoderRequest): string => {
  if (edge?.profile?.includes("Baseline") === true) return "baseline"
  return edge?.profile === "Main" ? "main" : "high"
}

/** A decoder that was made ready for the source's pictures is to do for these. */
const beside = ({ edge }: EncoderRequest): ReadonlyArray<string> =>
  edge === undefined
    ? []
    : argv`${edge.level === null ? [] : argv`-level ${edge.level}`} -x264-params sps-id=${edge.sets}`

const TELL: Record<VideoCodec, (request: EncoderRequest) => Told> = {
  h264: (request) => ({
    output: argv`
      -preset ${X26X_PRESET[request.mode]} -profile:v ${profileOf(request)} -crf ${rateOf(request)} ${ceiling(request)}
      ${gop(request)} -sc_threshold 0 -flags +cgop -threads ${threads(request)} ${beside(request)}`
  }),
  hevc: (request) => {
    const frames = gopFrames(request.length, request.frameRate)
    const keys = `open-gop=0:scenecut=0:keyint=${frames}:min-keyint=${frames}`
    return {
      output: argv`
        -preset ${X26X_PRESET[request.mode]} -profile:v main -crf ${RATE[request.quality]} ${ceiling(request)}
        ${gop(request)} -threads ${threads(request)}
        -x265-params log-level=error:info=0:pools=${threads(request)}:${keys}`
    }
  },
  vp9: (request) => ({
    // In one pass libvpx neither looks ahead nor keeps to a ceiling (it took 2.2 times as much on noise). With the
    // target rate as the ceiling it is "constrained quality". No row-mt: its speed features depend on who comes first.
    passes: 2,
    output: argv`
      -deadline good -cpu-used ${VP9_SPEED[request.mode]} -crf ${RATE_63[request.quality]} -b:v ${peak(request)}
      ${gop(request)} -tile-columns ${Math.log2(threads(request))} -auto-alt-ref 1 -lag-in-frames 25
      -threads ${threads(request)}`
  }),
  av1: (request) => ({
    output: argv`
      -preset ${SVT_PRESET[request.mode]} -crf ${RATE_63[request.quality]} ${ceiling(request)} ${gop(request)}
      -svtav1-params lp=${threads(request)}:scd=0`
  })
}

/** Processors: the last rung, and the one whose bytes are always the same. */
export const software: EncoderFamily = {
  encoders: { h264: "libx264", hevc: "libx265", vp9: "libvpx-vp9", av1: "libsvtav1" },
  pixelFormat: "yuv420p",
  tell: (request) => TELL[request.codec](request),
  resident: null
}
