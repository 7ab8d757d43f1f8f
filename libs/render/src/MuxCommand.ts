import type { Format } from "@reelay/contracts/Export"
import type { Operation, Plan } from "@reelay/contracts/Plan"
import type { Rational } from "@reelay/contracts/Quantity"
import { argv } from "./Argv.ts"
import { concatenated, concatList, type Piece, stripped, ticksPerFrame, timescale } from "./Container.ts"
import { contentTypeOf } from "./Names.ts"
import { fileUrl, ownInput, RUN } from "./Safety.ts"
import { type Joint, jointOf } from "./SmartCutCommand.ts"
import { soundCodec } from "./Spec.ts"
import type { Made, Places, TaskCommand } from "./TaskCommand.ts"
import { microsAt, SAMPLE_RATE, samplesBefore, secondsAt } from "./Timeline.ts"

type Mux = Extract<Operation, { readonly _tag: "mux" }>

/** What each container wants: its index in front, so that a player can begin before it has all. */
const CONTAINER = {
  mp4: argv`-movflags +faststart -f mp4`,
  mov: argv`-movflags +faststart -f mov`,
  webm: argv`-cues_to_front 1 -f webm`
} as const satisfies Record<Format, ReadonlyArray<string>>

/** Chunks (and what was copied) and soundtrack into the finished file, without encoding anything again; then its poster. */
export const muxCommand = (plan: Plan, among: ReadonlyArray<Made>, work: Mux, places: Places): TaskCommand => {
  const { made, folder } = places
  const { target } = plan.spec
  const { format, codec, width, height, frameRate: rate } = target
  const list = `${folder}/chunks.list`
  const path = `${folder}/output.${format}`
  const poster = `${folder}/poster.jpg`
  const size = posterSize(width, height)
  const pieces = piecesOf(among, work)
  const joint = jointOf(plan, pieces, places)
  const ends = endsOf(pieces)
  const samples = work.soundtrack === null ? 0 : samplesBefore(work.frames, rate)
  const sound =
    work.soundtrack === null
      ? { input: [], map: [] }
      : { input: argv`${ownInput} -i ${fileUrl(made(work.soundtrack))}`, map: argv`-map 1:a:0` }
  return {
    folders: [],
    files: [
      { path: list, text: concatList([...(joint?.header ? [joint.header] : []), ...chunkParts(pieces, rate, made)]) }
    ],
    steps: [
      ...(joint?.steps ?? []),
      {
        argv: argv`
          ${RUN} ${concatenated(list)} ${sound.input} -map 0:v:0 ${sound.map} -c copy
          ${exactTimes(format, rate, samples, joint)} ${codec === "hevc" ? argv`-tag:v hvc1` : []}
          ${stripped} ${CONTAINER[format]} ${fileUrl(path)}`,
        frames: 0,
        completes: 1
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
        seams: ends.slice(0, -1),
        ...(joint === null ? {} : { copied: joint.copied })
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

const piecesOf = (among: ReadonlyArray<Made>, { chunks }: Mux): ReadonlyArray<Made> => {
  const byKey = new Map(among.map((made) => [made.key, made]))
  return chunks.map((key) => {
    const piece = byKey.get(key)
    if (piece === undefined) throw new Error("a mux names a piece that nobody makes")
    return piece
  })
}

/** The frame after each piece's last. */
const endsOf = (pieces: ReadonlyArray<Made>): ReadonlyArray<number> => {
  let end = 0
  return pieces.map(({ frames }) => (end += frames))
}

/** Pieces with their lengths, rounded where they end on the file's clock: no error adds up. */
const chunkParts = (pieces: ReadonlyArray<Made>, rate: Rational, made: Places["made"]): ReadonlyArray<Piece> => {
  const ends = endsOf(pieces)
  return pieces.map(({ key }, i) => ({
    path: made(key),
    duration: microsAt(ends[i] ?? 0, rate) - microsAt(ends[i - 1] ?? 0, rate)
  }))
}

/**
 * The joints of chunks are reckoned in microseconds: in MP4 each time stamp goes back to the frame's own tick. WebM
 * rounds to milliseconds anyway; there the last packet of Opus is padded, which must not outlast the picture. Where pieces
 * of several encoders meet, each decoding as far ahead as it likes, decoding times are those of the one that does most.
 */
const exactTimes = (
  format: Format,
  rate: Rational,
  samples: number,
  joint: Pick<Joint, "ahead"> | null
): ReadonlyArray<string> => {
  if (format === "webm") {
    const end = Math.round((samples * 1000) / SAMPLE_RATE)
    return samples === 0 ? [] : argv`-bsf:a setts=duration='min(DURATION,max(1,${end}-PTS))'`
  }
  const frame = ticksPerFrame(rate)
  const decoded = joint === null ? `round(DTS/${frame})` : `(N-${joint.ahead})`
  return argv`
    -bsf:v setts=pts='round(PTS/${frame})*${frame}':dts='${decoded}*${frame}' -video_track_timescale ${timescale(rate)}`
}

const POSTER_WIDTH = 640

/** A frame near a tenth of the way, aimed at half a frame early so that rounding cannot miss it. Decimal seconds. */
const posterTime = (frames: number, rate: Rational): string =>
  Math.max(0, secondsAt(Math.floor(frames / 10) - 0.5, rate)).toFixed(6)

const posterSize = (width: number, height: number): { readonly width: number; readonly height: number } =>
  width <= POSTER_WIDTH
    ? { width, height }
    : { width: POSTER_WIDTH, height: Math.max(2, 2 * Math.round((POSTER_WIDTH * height) / width / 2)) }
