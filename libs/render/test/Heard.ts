import { execa } from "execa"

/** What is heard in a file, at 48 kHz. */
export const HEARD_RATE = 48_000

/** As a player plays it, whose clock counts: sound that starts late is padded, what starts early is cut. Both sides as one. */
export const heardIn = async (path: string): Promise<Int16Array> => {
  const filters = `aresample=${HEARD_RATE}:async=1:first_pts=0,pan=mono|c0=0.5*c0+0.5*c1`
  const input = ["-v", "error", "-copyts", "-i", path, "-map", "0:a:0", "-af", filters]
  const { stdout } = await execa("ffmpeg", [...input, "-f", "s16le", "pipe:1"], {
    stripFinalNewline: false,
    encoding: "buffer",
    maxBuffer: 1 << 30
  })
  return new Int16Array(stdout.buffer.slice(stdout.byteOffset, stdout.byteOffset + stdout.byteLength))
}

/** An eighth of full scale. */
const LOUD = 4096

/** The first second within a stretch at which it is loud; NaN where it never is. */
export const onset = (samples: Int16Array, from: number, to: number): number => {
  const stretch = samples.subarray(Math.round(from * HEARD_RATE), Math.round(to * HEARD_RATE))
  const at = stretch.findIndex((sample) => Math.abs(sample) > LOUD)
  return at < 0 ? Number.NaN : Math.round(from * HEARD_RATE + at) / HEARD_RATE
}

/** Loudness of every `stride`-th sample from `offset` on: root of the mean square, 1 is full scale. */
export const level = (samples: Int16Array, offset = 0, stride = 1): number => {
  let [sum, count] = [0, 0]
  for (let i = offset; i < samples.length; i += stride) {
    sum += (samples[i] ?? 0) ** 2
    count++
  }
  return Math.sqrt(sum / count) / 32_768
}
