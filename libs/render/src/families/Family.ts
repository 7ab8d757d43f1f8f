import type { Mode, Quality, VideoCodec } from "@reelay/contracts/Export"
import type { PictureInfo } from "@reelay/contracts/Media"
import type { Edge } from "@reelay/contracts/Plan"
import type { Rational } from "@reelay/contracts/Quantity"
import { argv } from "../Argv.ts"
import { gopFrames } from "../Chunks.ts"
import { ceilingOf } from "../Estimate.ts"

/**
 * What every family of encoders is: how it is called and what it is told. Every encoder is asked for the same thing: constant
 * quality under a ceiling (average rate control in chunks costs up to 2 dB at the worst frame), closed GOPs of two seconds at
 * the most with key frames nowhere else, 8-bit 4:2:0. `mode` is effort alone, `quality` is rate alone.
 */
export interface EncoderRequest {
  readonly codec: VideoCodec
  readonly mode: Mode
  readonly quality: Quality
  readonly width: number
  readonly height: number
  readonly frameRate: Rational
  /** Frames of the piece. */
  readonly length: number
  /** What the node calls the device: an index (NVENC), a render node (QSV). Null: the encoder's default. */
  readonly device: string | null
  /** Where the frames come from: decoded and scaled on the device itself, or in memory. */
  readonly frames: "memory" | "device"
  /** Of a piece that lies beside copied ones. Absent: beside its own like. H.264 in software only. */
  readonly edge?: Edge
}

export interface Told {
  /** Before any input: devices. */
  readonly global?: ReadonlyArray<string>
  /** Output options of the video stream, after the encoder's name. */
  readonly output: ReadonlyArray<string>
  readonly passes?: 2
}

export interface EncoderFamily {
  /** ffmpeg's name of the encoder, for the codecs that the family has. */
  readonly encoders: Partial<Record<VideoCodec, string>>
  /** What it takes from memory. */
  readonly pixelFormat: "yuv420p" | "nv12"
  readonly tell: (request: EncoderRequest) => Told
  /** How a picture gets from the file to the encoder without leaving the device; null: it cannot. */
  readonly resident: Resident | null
}

/**
 * Decoding and scaling on the device. The filters between them (settb, setpts, fps, trim, setsar, setparams) never touch a
 * pixel, so frames may lie wherever they like: they choose the same ones.
 */
export interface Resident {
  /** The filter that it needs ffmpeg to have. */
  readonly filter: string
  /** Whether such a device can be expected to decode it, and to give its frames the times that they have in the file. */
  readonly decodes: (picture: PictureInfo) => boolean
  /** Before the input. */
  readonly input: (picture: PictureInfo) => ReadonlyArray<string>
  /** To the output's size, 8 bits, in frames that the encoder takes. */
  readonly scale: (size: { readonly width: number; readonly height: number }) => string
}

/** The device's name within one ffmpeg. */
export const DEVICE = "gpu"

/** Constant rate factor (software) or constant quality (hardware), on the scale that x264 and most others share. */
export const RATE = { high: 18, medium: 23, low: 28 } as const satisfies Record<Quality, number>
/** The same steps on the scale of VP9 and AV1, 0…63: equal PSNR, measured on film at 720p. */
export const RATE_63 = { high: 28, medium: 36, low: 44 } as const satisfies Record<Quality, number>

/**
 * Bits per second. The buffer starts nearly full, and what is in it comes on top of a chunk's rate: with half a second of buffer
 * and this headroom every chunk of 2.6 s or more keeps its average under the ceiling.
 */
export const peak = (request: EncoderRequest): number => Math.round(ceilingOf(request) * HEADROOM)
const HEADROOM = 0.85

export const ceiling = (request: EncoderRequest): ReadonlyArray<string> =>
  argv`-maxrate ${peak(request)} -bufsize ${Math.round(peak(request) / 2)}`

export const gop = ({ frameRate, length }: EncoderRequest): ReadonlyArray<string> => {
  const frames = gopFrames(length, frameRate)
  return argv`-g ${frames} -keyint_min ${frames}`
}

/** 4:2:0 of eight bits, or of ten where that is what the codec's devices decode. */
export const isDecodable = (
  { codec, pixelFormat }: PictureInfo,
  eight: ReadonlyArray<string>,
  ten: ReadonlyArray<string>
): boolean =>
  (pixelFormat === "yuv420p" && eight.includes(codec)) || (pixelFormat === "yuv420p10le" && ten.includes(codec))
