import { execa } from "execa"

/**
 * Sources that know what they show. Each frame carries its own number as sixteen black or white blocks along its upper
 * half; every second (of frames) the lower half flashes for one frame while the sound beeps. So a result proves its
 * content frame by frame, and its sound against its picture, not only its count.
 */
const WIDTH = 320
const HEIGHT = 180
const BITS = 16
const BLOCK = WIDTH / BITS
const SAMPLE_RATE = 48_000

export interface NumberedOptions {
  readonly frames: number
  /** Frames per second, as ffmpeg writes it. */
  readonly rate?: { readonly num: number; readonly den: number }
  readonly sound?: boolean
  /** Arguments between inputs and output: codec, GOP, rotation … */
  readonly encode?: ReadonlyArray<string>
  /** A quarter turn, as a phone held upright notes it: the picture is stored lying. */
  readonly upright?: boolean
}

const isFlash = (frame: number, perSecond: number) => frame % perSecond === 0

export const writeNumbered = async (path: string, options: NumberedOptions): Promise<void> => {
  const { num, den } = options.rate ?? { num: 30, den: 1 }
  const perSecond = Math.round(num / den)
  const picture = function* () {
    for (let n = 0; n < options.frames; n++) {
      const frame = Buffer.alloc(WIDTH * HEIGHT, 16)
      for (let bit = 0; bit < BITS; bit++) {
        if ((n >> bit) % 2 === 0) continue
        for (let y = 0; y < HEIGHT / 2; y++) frame.fill(235, y * WIDTH + bit * BLOCK, y * WIDTH + (bit + 1) * BLOCK)
      }
      if (isFlash(n, perSecond)) frame.fill(235, (WIDTH * HEIGHT) / 2)
      yield frame
    }
  }
  const seconds = (options.frames * den) / num
  // The beep lasts as long as its frame: silence but for [k·perSecond, k·perSecond + 1) frames.
  const period = (perSecond * den) / num
  const beep = `aevalsrc='0.8*sin(2*PI*1000*t)*lt(mod(t+0.00001,${period}),${den / num})':s=${SAMPLE_RATE}:d=${seconds}`
  await execa(
    "ffmpeg",
    [
      "-v",
      "error",
      "-y",
      "-f",
      "rawvideo",
      "-pix_fmt",
      "gray",
      "-s",
      `${WIDTH}x${HEIGHT}`,
      "-r",
      `${num}/${den}`,
      "-i",
      "pipe:0",
      ...(options.sound === false ? [] : ["-f", "lavfi", "-i", beep]),
      "-pix_fmt",
      "yuv420p",
      ...(options.encode ?? [
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-crf",
        "12",
        "-g",
        "60",
        "-bf",
        "2",
        "-c:a",
        "aac"
      ]),
      options.upright === true ? `${path}.lying.mp4` : path
    ],
    { stdin: picture() }
  )
  if (options.upright !== true) return
  // A turn is noted by a copy only; ffmpeg 5.1 writes the tag the other way round.
  await execa("ffmpeg", [
    "-v",
    "error",
    "-y",
    "-i",
    `${path}.lying.mp4`,
    "-c",
    "copy",
    "-metadata:s:v:0",
    "rotate=270",
    path
  ])
}

export interface Read {
  /** The number that each displayed frame carries. */
  readonly numbers: ReadonlyArray<number>
  /** Displayed frames (positions) whose lower half flashes. */
  readonly flashes: ReadonlyArray<number>
}

/** Decodes the whole file (any error of the decoder is a failure) and reads every frame. */
export const readNumbered = async (path: string): Promise<Read> => {
  const { stdout } = await execa(
    "ffmpeg",
    [
      "-v",
      "error",
      "-xerror",
      "-i",
      path,
      "-map",
      "0:v:0",
      "-vf",
      `scale=${WIDTH}:${HEIGHT}:flags=area`,
      "-fps_mode",
      "passthrough",
      "-f",
      "rawvideo",
      "-pix_fmt",
      "gray",
      "pipe:1"
    ],
    { encoding: "buffer", maxBuffer: 4_000_000_000 }
  )
  const numbers: Array<number> = []
  const flashes: Array<number> = []
  const size = WIDTH * HEIGHT
  for (let at = 0; at + size <= stdout.length; at += size) {
    let number = 0
    for (let bit = 0; bit < BITS; bit++) {
      const x = bit * BLOCK + BLOCK / 2
      if ((stdout[at + (HEIGHT / 4) * WIDTH + x] ?? 0) > 125) number |= 1 << bit
    }
    if ((stdout[at + Math.floor(HEIGHT * 0.75) * WIDTH + WIDTH / 2] ?? 0) > 125) flashes.push(numbers.length)
    numbers.push(number)
  }
  return { numbers, flashes }
}

/** Starts of the beeps in seconds, as a player would hear them (edit lists and priming honoured). */
export const readBeeps = async (path: string): Promise<ReadonlyArray<number>> => {
  const { stdout } = await execa(
    "ffmpeg",
    [
      "-v",
      "error",
      "-i",
      path,
      "-map",
      "0:a:0",
      "-af",
      `aresample=${SAMPLE_RATE}:async=1:first_pts=0`,
      "-ac",
      "1",
      "-f",
      "s16le",
      "pipe:1"
    ],
    { encoding: "buffer", maxBuffer: 1_000_000_000 }
  )
  const pcm = new Int16Array(stdout.buffer, stdout.byteOffset, Math.floor(stdout.length / 2))
  const beeps: Array<number> = []
  let quietSince = -SAMPLE_RATE
  for (let i = 0; i < pcm.length; i++) {
    if (Math.abs(pcm[i] ?? 0) < 6000) continue
    if (i - quietSince > SAMPLE_RATE / 10) beeps.push(i / SAMPLE_RATE)
    quietSince = i
  }
  return beeps
}

export interface Probe {
  readonly streams: ReadonlyArray<Record<string, unknown>>
  readonly format: Record<string, unknown>
}

/** ffprobe's view, frames counted by packets. */
export const probe = async (path: string): Promise<Probe> => {
  const { stdout } = await execa("ffprobe", [
    "-v",
    "error",
    "-count_packets",
    "-show_streams",
    "-show_format",
    "-of",
    "json",
    path
  ])
  return JSON.parse(stdout) as Probe
}

/** Every packet decodes; nothing is said about it. */
export const decodesCleanly = async (path: string): Promise<string> => {
  const { stderr } = await execa("ffmpeg", ["-v", "warning", "-xerror", "-i", path, "-f", "null", "-"])
  return stderr
}
