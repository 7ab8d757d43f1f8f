import { execa } from "execa"
import { copyFile } from "node:fs/promises"
import { readNumbers } from "../libs/render/test/Numbered.ts"
import { source } from "../libs/render/test/Sources.ts"

/**
 * Sources that know what they show (libs/render/test/Numbered.ts): each frame carries its own number, and every second (of
 * frames) the sound beeps for as long as one is shown. So a result proves its content frame by frame, and its sound against
 * its picture, not only its count.
 */
const WIDTH = 320
const HEIGHT = 180
const SAMPLE_RATE = 48_000

interface Rate {
  readonly num: number
  readonly den: number
}
const RATE: Rate = { num: 30, den: 1 }
const beepsEvery = ({ den, num }: Rate): number => Math.round(num / den)

export interface NumberedOptions {
  readonly frames: number
  /** Frames per second, 30 unless told. */
  readonly rate?: Rate
  readonly sound?: boolean
  /** Arguments between inputs and output: codec, GOP, rotation … */
  readonly encode?: ReadonlyArray<string>
  /** A quarter turn, as a phone held upright notes it: the picture is stored lying. */
  readonly upright?: boolean
}

const X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-g", "60", "-bf", "2", "-pix_fmt", "yuv420p"]

export const writeNumbered = async (path: string, options: NumberedOptions): Promise<void> => {
  const { encode = X264, frames, rate = RATE, sound = true, upright = false } = options
  const seconds = (count: number) => (count * rate.den) / rate.num
  const beep = `0.8*sin(2*PI*1000*t)*lt(mod(t+0.00001,${seconds(beepsEvery(rate))}),${seconds(1)})`
  const made = await source({
    extension: path.slice(path.lastIndexOf(".") + 1),
    frames,
    width: WIDTH,
    height: HEIGHT,
    rate: `${rate.num}/${rate.den}`,
    codec: encode,
    ...(sound ? { sound: ["-f", "lavfi", "-i", `aevalsrc='${beep}':s=${SAMPLE_RATE}:d=${seconds(frames)}`] } : {}),
    ...(upright ? { turned: 90 } : {})
  })
  await copyFile(made, path)
}

export interface Read {
  /** The number that each displayed frame carries. */
  readonly numbers: ReadonlyArray<number>
  /** Displayed frames (positions) with which a beep begins. */
  readonly flashes: ReadonlyArray<number>
}

/** Decodes the whole file (any error of the decoder is a failure) and reads every frame. `rate`: the source's. */
export const readNumbered = async (path: string, rate: Rate = RATE): Promise<Read> => {
  const numbers = await readNumbers(path, WIDTH, HEIGHT)
  const flashes = [...numbers.keys()].filter(
    (at) => (numbers[at] ?? 0) % beepsEvery(rate) === 0 && numbers[at] !== numbers[at - 1]
  )
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
