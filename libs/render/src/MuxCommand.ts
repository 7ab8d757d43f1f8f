import type { Format } from "@reelay/contracts/Export"
import type { Operation, Part, Plan } from "@reelay/contracts/Plan"
import type { Rational } from "@reelay/contracts/Quantity"
import { argv } from "./Argv.ts"
import type { Places, TaskCommand } from "./Command.ts"
import { concatenated, concatList, type Piece, stripped, timescale } from "./Container.ts"
import { contentTypeOf } from "./Names.ts"
import { fileUrl, ownInput, RUN } from "./Safety.ts"
import { soundCodec } from "./Spec.ts"
import { microsAt, SAMPLE_RATE, samplesBefore, secondsAt } from "./Timeline.ts"

type Mux = Extract<Operation, { readonly _tag: "mux" }>

/** What each container wants: its index in front, so that a player can begin before it has all. */
const CONTAINER = {
  mp4: argv`-movflags +faststart -f mp4`,
  mov: argv`-movflags +faststart -f mov`,
  webm: argv`-cues_to_front 1 -f webm`
} as const satisfies Record<Format, ReadonlyArray<string>>

/** Chunks and soundtrack into the finished file, without encoding anything again; then its poster. */
export const muxCommand = (
  { spec: { target } }: Plan,
  among: ReadonlyArray<Pick<Part, "key" | "frames">>,
  work: Mux,
  { made, folder }: Places
): TaskCommand => {
  const { format, codec, width, height, frameRate: rate } = target
  const list = `${folder}/chunks.list`
  const path = `${folder}/output.${format}`
  const poster = `${folder}/poster.jpg`
  const size = posterSize(width, height)
  const ends = chunkEnds(among, work)
  const samples = work.soundtrack === null ? 0 : samplesBefore(work.frames, rate)
  const sound =
    work.soundtrack === null
      ? { input: [], map: [] }
      : { input: argv`${ownInput} -i ${fileUrl(made(work.soundtrack))}`, map: argv`-map 1:a:0` }
  return {
    folders: [],
    files: [{ path: list, text: concatList(chunkParts(work, ends, rate, made)) }],
    steps: [
      {
        argv: argv`
          ${RUN} ${concatenated(list)} ${sound.input} -map 0:v:0 ${sound.map} -c copy
          ${exactTimes(format, rate, samples)} ${codec === "hevc" ? argv`-tag:v hvc1` : []}
          ${stripped} ${CONTAINER[format]} ${fileUrl(path)}`,
        frames: 0
      },
      {
        argv: argv`
          ${RUN} ${ownInput} -ss ${posterTime(work.frames, rate)} -i ${fileUrl(path)} -map 0:v:0 -frames:v 1
          -vf scale=${size.width}:${size.height}:flags=bicubic+accurate_rnd+bitexact:out_range=pc,setsar=1,format=yuvj420p
          -c:v mjpeg -q:v 4 -threads 1 -bitexact ${stripped} -f image2 -update 1 ${fileUrl(poster)}`,
        frames: 0
      }
    ],
    makes: [
      {
        path,
        role: "media",
        name: work.name,
        contentType: contentTypeOf(format),
        video: { codec, width, height, frames: work.frames, rate },
        audio: work.soundtrack === null ? null : { codec: soundCodec(format), samples },
        seams: ends.slice(0, -1)
      },
      {
        path: poster,
        role: "poster",
        name: "",
        contentType: "image/jpeg",
        video: { codec: "mjpeg", ...size, frames: 1, rate },
        audio: null,
        seams: []
      }
    ]
  }
}

/** The frame after each chunk's last. */
const chunkEnds = (among: ReadonlyArray<Pick<Part, "key" | "frames">>, work: Mux): ReadonlyArray<number> => {
  const frames = new Map(among.map(({ frames, key }) => [key, frames]))
  let end = 0
  return work.chunks.map((key) => (end += frames.get(key) ?? 0))
}

/** Chunks with their lengths, rounded where they end on the file's clock: no error adds up. */
const chunkParts = (
  work: Mux,
  ends: ReadonlyArray<number>,
  rate: Rational,
  made: Places["made"]
): ReadonlyArray<Piece> =>
  work.chunks.map((key, i) => ({
    path: made(key),
    duration: microsAt(ends[i] ?? 0, rate) - microsAt(ends[i - 1] ?? 0, rate)
  }))

/**
 * The joints of chunks are reckoned in microseconds: in MP4 each time stamp goes back to the frame's own tick. WebM
 * rounds to milliseconds anyway; there the last packet of Opus is padded, which must not outlast the picture.
 */
const exactTimes = (format: Format, rate: Rational, samples: number): ReadonlyArray<string> => {
  if (format === "webm") {
    const end = Math.round((samples * 1000) / SAMPLE_RATE)
    return samples === 0 ? [] : argv`-bsf:a setts=duration='min(DURATION,max(1,${end}-PTS))'`
  }
  const scale = timescale(rate)
  const frame = (scale / rate.num) * rate.den
  return argv`
    -bsf:v setts=pts='round(PTS/${frame})*${frame}':dts='round(DTS/${frame})*${frame}' -video_track_timescale ${scale}`
}

const POSTER_WIDTH = 640

/** A frame near a tenth of the way, aimed at half a frame early so that rounding cannot miss it. Decimal seconds. */
const posterTime = (frames: number, rate: Rational): string =>
  Math.max(0, secondsAt(Math.floor(frames / 10) - 0.5, rate)).toFixed(6)

const posterSize = (width: number, height: number): { readonly width: number; readonly height: number } =>
  width <= POSTER_WIDTH
    ? { width, height }
    : { width: POSTER_WIDTH, height: Math.max(2, 2 * Math.round((POSTER_WIDTH * height) / width / 2)) }
