import type { Family, VideoCodec } from "@reelay/contracts/Export"
import { argv } from "./Argv.ts"
import { amf } from "./families/Amf.ts"
import type { EncoderFamily, EncoderRequest, Resident } from "./families/Family.ts"
import { nvenc } from "./families/Nvenc.ts"
import { qsv } from "./families/Qsv.ts"
import { software } from "./families/Software.ts"
import { videotoolbox } from "./families/VideoToolbox.ts"

export { threadsFor } from "./families/Software.ts"

/** Codec × family × mode × quality → encoder arguments. What a family is told, it says itself (`families/`). */
const FAMILIES: Record<Family, EncoderFamily> = { nvenc, qsv, amf, videotoolbox, software }

/** First choice first; a node uses the first rung that its probe proved. */
export const LADDER: ReadonlyArray<Family> = ["nvenc", "qsv", "amf", "videotoolbox", "software"]

export interface EncoderArguments {
  /** Before any input: devices. */
  readonly global: ReadonlyArray<string>
  /** Output options of the video stream. */
  readonly output: ReadonlyArray<string>
  /** What the filter graph must deliver, where it delivers frames in memory. */
  readonly pixelFormat: EncoderFamily["pixelFormat"]
  /** 2: the same arguments twice, `-pass 1` and `-pass 2`. */
  readonly passes: 1 | 2
}

/** ffmpeg's name of the encoder; null when the family has none for the codec. */
export const encoderName = (family: Family, codec: VideoCodec): string | null =>
  FAMILIES[family].encoders[codec] ?? null

/** How a family decodes and scales on its device; null: it does not. */
export const residentOf = (family: Family): Resident | null => FAMILIES[family].resident

/** Slots that a chunk of this size takes on a node. */
export const weightFor = (width: number, height: number): number => (width * height <= 1920 * 1080 * 1.5 ? 1 : 2)

/** Throws when the family has no such encoder: the planner only asks for pools that exist. */
export const encoderArguments = (
  request: Omit<EncoderRequest, "frames"> & { readonly family: Family; readonly frames?: EncoderRequest["frames"] }
): EncoderArguments => {
  const { codec, family, frames = "memory" } = request
  const name = encoderName(family, codec)
  if (name === null) throw new Error(`${family} has no ${codec} encoder`)
  const { global = [], output, passes = 1 } = FAMILIES[family].tell({ ...request, frames })
  return {
    global,
    passes,
    pixelFormat: FAMILIES[family].pixelFormat,
    output: argv`-c:v ${name} ${output} ${tagFor(codec)} -bitexact`
  }
}

/** Apple's players want HEVC with its parameter sets outside the stream, and named so. */
const tagFor = (codec: VideoCodec): ReadonlyArray<string> => (codec === "hevc" ? argv`-tag:v hvc1` : [])

const PROBED = 6

/**
 * A short real encode that proves a rung: `-encoders` lists what was compiled in, not what works. NVENC refuses tiny
 * pictures, hence 256×256. Exit 0 means that it works.
 */
export const probeArguments = (family: Family, codec: VideoCodec, device: string | null): ReadonlyArray<string> => {
  const encoder = encoderArguments({
    family,
    codec,
    device,
    length: PROBED,
    frameRate: { num: 30, den: 1 },
    mode: "fast",
    quality: "medium",
    width: 256,
    height: 256
  })
  return argv`
    -hide_banner -nostdin -v error ${encoder.global} -f lavfi -i testsrc2=size=256x256:rate=30 -frames:v ${PROBED}
    -vf format=${encoder.pixelFormat} -an ${encoder.output} -f null -`
}
