import type { Operation, Plan } from "@reelay/contracts/Plan"
import { argv } from "./Argv.ts"
import { type Piece, stripped, ticksPerFrame, timescale } from "./Container.ts"
import { setNumbers } from "./ParameterSets.ts"
import { fileUrl, mediaInput, ownInput, PROTOCOLS, RUN } from "./Safety.ts"
import { clipOf } from "./Spec.ts"
import type { CopiedFrames, Look, Made, Places, Step, TaskCommand } from "./TaskCommand.ts"
import { UnitWalk } from "./UnitWalk.ts"

type Of<Tag extends Operation["_tag"]> = Extract<Operation, { readonly _tag: Tag }>

/** Frames of a source, not decoded, on the output's clock: the first at 0. */
export const copyCommand = (
  { spec }: Plan,
  { ahead, at, clip: position, from, late, to }: Of<"copy">,
  { source, folder }: Places
): TaskCommand => {
  const { clip, media } = clipOf(spec, position)
  const { codec, frameRate: rate, height, width } = spec.target
  const frames = to - from
  const path = `${folder}/copy.mp4`
  const ticks = ticksPerFrame(rate)
  return {
    folders: [],
    files: [],
    steps: [
      {
        argv: argv`
          ${RUN} ${mediaInput} -ss ${at + late}us -i ${fileUrl(source(clip.source))} -map 0:${media.picture.streamIndex}
          -c copy -frames:v ${frames} -bsf:v setts=pts=round((PTS-STARTPTS)/${ticks})*${ticks}:dts=(N-${ahead})*${ticks}
          ${stripped} -video_track_timescale ${timescale(rate)} -f mp4 ${fileUrl(path)}`,
        frames,
        inspects: { path, look: () => new UnitWalk() }
      }
    ],
    makes: [
      {
        path,
        role: "media",
        name: "",
        contentType: "video/mp4",
        video: { codec, width, height, frames, rate },
        audio: null,
        seams: []
      }
    ]
  }
}

/** At a small file, all at once. */
const lookAtAll = (obstacle: (bytes: Uint8Array) => string | null): Look => {
  const parts: Array<Uint8Array> = []
  return {
    feed: (bytes) => void parts.push(bytes),
    obstacle: () => {
      const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
      let at = 0
      for (const part of parts) {
        all.set(part, at)
        at += part.length
      }
      return obstacle(all)
    }
  }
}

/** How copied and encoded pieces become one stream. */
export interface Joint {
  /** Makes the piece that comes first. */
  readonly steps: ReadonlyArray<Step>
  /** None of its frames, but all parameter sets; absent where there is one kind of pieces only. */
  readonly header: Piece | null
  /** By how many frames coding runs ahead of presentation, in whichever piece it does most. */
  readonly ahead: number
  readonly copied: ReadonlyArray<CopiedFrames>
}

/** x264 refers to pictures that are two frames ahead at the most: B-frames in a pyramid of one step. */
const AHEAD_ENCODED = 2

/**
 * Null where nothing is copied. A file has the parameter sets of all its pieces in its header, where players look for them:
 * the first piece that ffmpeg sees is one whose header has both, and of which nothing else is taken. It is made of the
 * copied sets before an encoded picture, as one raw stream.
 */
export const jointOf = (plan: Plan, pieces: ReadonlyArray<Made>, places: Places): Joint | null => {
  const copied = copiedOf(plan, pieces, places)
  const copy = pieces.find(({ work }) => work._tag === "copy")
  if (copy === undefined) return null
  const ahead = Math.max(AHEAD_ENCODED, ...pieces.map(({ work }) => (work._tag === "copy" ? work.ahead : 0)))
  const edge = pieces.find(({ work }) => work._tag === "chunk")
  if (edge === undefined || edge.work._tag !== "chunk" || edge.work.edge === undefined) {
    return { steps: [], header: null, ahead, copied }
  }
  const { made, folder } = places
  const { frameRate: rate } = plan.spec.target
  const [sets, picture, header] = [`${folder}/copied.h264`, `${folder}/encoded.h264`, `${folder}/header.mp4`]
  const first = (input: number) => argv`-map ${input}:v:0 -c copy -frames:v 1`
  const { sets: ours } = edge.work.edge
  return {
    steps: [
      {
        argv: argv`
          ${RUN} ${ownInput} -i ${fileUrl(made(copy.key))} ${ownInput} -i ${fileUrl(made(edge.key))}
          ${first(0)} -bsf:v h264_mp4toannexb,filter_units=pass_types=7-8 -f h264 ${fileUrl(sets)}
          ${first(1)} -bsf:v h264_mp4toannexb -f h264 ${fileUrl(picture)}`,
        frames: 0,
        inspects: {
          path: sets,
          look: () =>
            lookAtAll((bytes) => {
              const theirs = setNumbers(bytes)
              if (theirs.length === 0) return "the source has no parameter sets where it is copied from"
              return theirs.includes(ours) ? `the source has parameter sets of number ${ours}, too` : null
            })
        }
      },
      {
        argv: argv`
          ${RUN} -protocol_whitelist ${PROTOCOLS},concat -format_whitelist h264 -f h264 -framerate ${rate.num}/${rate.den}
          -i concat:${fileUrl(sets)}|${fileUrl(picture)} -map 0:v:0 -c copy -frames:v 1
          ${stripped} -video_track_timescale ${timescale(rate)} -f mp4 ${fileUrl(header)}`,
        frames: 0
      }
    ],
    header: { path: header, duration: 0 },
    ahead,
    copied
  }
}

/** Where in the file the copied pieces are, and what around them shows the same source. */
const copiedOf = ({ spec }: Plan, pieces: ReadonlyArray<Made>, { source }: Places): ReadonlyArray<CopiedFrames> => {
  let end = 0
  return pieces.flatMap(({ frames, work }, position) => {
    end += frames
    if (work._tag !== "copy") return []
    const { clip, media } = clipOf(spec, work.clip)
    // Pieces of its own clip lie around it; frames that are held beyond the source's end have none to be compared with.
    const beside = (piece: Made | undefined) =>
      piece?.work._tag === "chunk" && piece.work.clip === work.clip
        ? piece.work.to - piece.work.from - piece.work.hold
        : 0
    return [
      {
        source: source(clip.source),
        stream: media.picture.streamIndex,
        at: work.at,
        from: end - frames,
        to: end,
        before: beside(pieces[position - 1]),
        after: beside(pieces[position + 1])
      }
    ]
  })
}
