import { assert } from "@effect/vitest"
import { execa } from "execa"
import { ingest, type Ingested } from "./Ingest.ts"
import { makeSource, type SourceRecipe } from "./Sources.ts"

/** Sources that can be copied from, and how what comes of it is compared with them. */
export const SIZE = { width: 320, height: 192 }

export interface Camera extends Partial<Omit<SourceRecipe, "sound">> {
  readonly sound?: boolean
  readonly profile?: string
  /** Options of libx264. */
  readonly x264?: ReadonlyArray<string>
}

/** Numbered frames with grain, so that no two encoders make the same of them: 25 a second, a key frame each second. */
export const camera = async (
  folder: string,
  name: string,
  { profile = "high", sound: audible, x264 = [], ...recipe }: Camera = {}
): Promise<Ingested> =>
  ingest(
    await makeSource(folder, name, {
      extension: "mp4",
      frames: 150,
      ...SIZE,
      filters: "noise=alls=6:allf=t,format=yuv420p",
      codec: [
        ..."-c:v libx264 -preset fast -crf 24 -g 25 -keyint_min 25 -sc_threshold 0 -pix_fmt yuv420p".split(" "),
        ..."-colorspace bt709 -color_primaries bt709 -color_trc bt709 -profile:v".split(" "),
        profile,
        "-x264-params",
        ["b-adapt=0:bframes=3:b-pyramid=normal", ...x264].join(":")
      ],
      ...(audible === true
        ? {
            sound: [
              "-f",
              "lavfi",
              "-i",
              "aevalsrc='0.5*sin(2*PI*(200+40*t)*t)|0.5*sin(2*PI*(300+30*t)*t)':s=48000:d=6"
            ],
            soundCodec: ["-c:a", "aac"]
          }
        : {}),
      ...recipe
    })
  )

/** The same without re-encoding, from a second on, as people cut on their phones: what is before it is hidden. */
export const hidden = async (folder: string, { path }: Ingested, from: number): Promise<Ingested> => {
  const cut = `${folder}/from-${from}.mp4`
  await execa("ffmpeg", ["-v", "error", "-ss", String(from), "-i", path, "-c", "copy", cut])
  return ingest(cut)
}

export const the = <A>(value: A | undefined): A => value ?? assert.fail("nothing there")

/** What a decoder makes of a file's pictures: a digest a frame. It must have nothing to say. */
export const digests = async (path: string): Promise<ReadonlyArray<string>> => {
  const { stderr, stdout } = await execa("ffmpeg", ["-v", "error", "-i", path, "-map", "0:v", "-f", "framemd5", "-"])
  assert.strictEqual(stderr, "")
  return stdout
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(",").at(-1)?.trim() ?? "")
}

/** Decibels by which each frame of a file is like the source's, of which `first` is the one that it begins with. */
export const likeness = async (path: string, source: string, first: number): Promise<ReadonlyArray<number>> => {
  const graph = [
    "[0:v]settb=1/1000,setpts=N[made]",
    `[1:v]trim=start_frame=${first},settb=1/1000,setpts=N[source]`,
    "[made][source]psnr=stats_file=-:shortest=1"
  ].join(";")
  const { stdout } = await execa("ffmpeg", [
    "-v",
    "error",
    "-i",
    path,
    "-i",
    source,
    "-lavfi",
    graph,
    "-f",
    "null",
    "-"
  ])
  return [...stdout.matchAll(/psnr_avg:(\S+)/g)].map(([, text]) => (text === "inf" ? Infinity : Number(text)))
}

/** Of several frames together, by what they differ on average. */
export const overall = (each: ReadonlyArray<number>): number =>
  -10 * Math.log10(each.reduce((sum, decibels) => sum + 10 ** (-decibels / 10), 0) / each.length)

/** What is heard of a file: two channels in turns, 48,000 a second, 16 bits. */
export const samples = async (path: string): Promise<Int16Array> => {
  const { stdout } = await execa("ffmpeg", ["-v", "error", "-i", path, "-map", "0:a", "-f", "s16le", "-ac", "2", "-"], {
    encoding: "buffer",
    maxBuffer: 1 << 28
  })
  return new Int16Array(stdout.buffer, stdout.byteOffset, stdout.byteLength / 2)
}
