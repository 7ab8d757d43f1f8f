import type { Operation, Plan, Shown } from "@reelay/contracts/Plan"
import { argv } from "./Argv.ts"
import type { Places, TaskCommand } from "./Command.ts"
import { stripped, timescale } from "./Container.ts"
import { framingOf, timesOf } from "./Crop.ts"
import { type EncoderArguments, encoderArguments, threadsFor } from "./Encoders.ts"
import { frameGrid } from "./FrameGrid.ts"
import { fileUrl, mediaInput, RUN } from "./Safety.ts"
import { sourceRate } from "./Sections.ts"
import { clipOf, sectionOf } from "./Spec.ts"
import { dissolveGraph, OUTPUT_COLOR, type Picture, videoGraph } from "./VideoGraph.ts"

/** Frames of a clip as a closed piece of video. */
export const chunkCommand = (
  plan: Plan,
  work: Extract<Operation, { readonly _tag: "chunk" }>,
  places: Places
): TaskCommand => {
  const picture = pictureOf(plan, work)
  return encoded(plan, [work], places, (pixelFormat) =>
    videoGraph({ ...picture, fades: work.fades ?? [], pixelFormat })
  )
}

/** Frames in which one clip becomes the next, as a piece of the same kind. */
export const dissolveCommand = (
  plan: Plan,
  { at, first, of, second }: Extract<Operation, { readonly _tag: "dissolve" }>,
  places: Places
): TaskCommand => {
  const [below, above] = [pictureOf(plan, first), pictureOf(plan, second)]
  return encoded(plan, [first, second], places, (pixelFormat) =>
    dissolveGraph({ first: below, second: above, at, of, pixelFormat })
  )
}

const pictureOf = ({ spec }: Plan, work: Shown): Picture => {
  const { target } = spec
  const { clip, media } = clipOf(spec, work.clip)
  const section = sectionOf(clip, work.section, target.frameRate)
  const { picture } = media
  return {
    picture,
    target,
    grid: frameGrid(picture.timeBase, picture.zeroPts, section.start, sourceRate(section, target.frameRate)),
    from: work.from,
    to: work.to,
    seeked: work.seek !== null,
    hold: work.hold,
    framing:
      clip.crop === null
        ? null
        : framingOf(clip.crop, picture, target, timesOf(section, target.frameRate, work.from, work.to))
  }
}

/**
 * What a graph makes of the clips (in the order of their inputs): MP4 for every codec, because its time stamps are exact at
 * any rate and the concat demuxer joins such pieces without decoding anything.
 */
const encoded = (
  { spec, family }: Plan,
  shown: readonly [Shown, ...ReadonlyArray<Shown>],
  { source, folder, device }: Places,
  graphFor: (pixelFormat: EncoderArguments["pixelFormat"]) => string
): TaskCommand => {
  const { target } = spec
  const encoder = encoderArguments({ ...target, family, device })
  const [first] = shown
  const color = OUTPUT_COLOR
  const frames = first.to - first.from
  const graph = `${folder}/video.graph`
  const path = `${folder}/chunk.mp4`

  // Where a stream changes its size on the way, a new graph would count its frames from the start again; scale adapts.
  const inputs = shown.flatMap(({ clip: position, seek }) => {
    const { clip, media } = clipOf(spec, position)
    const { codedHeight, codedWidth } = media.picture
    return argv`
      ${mediaInput} -reinit_filter 0 -threads ${threadsFor(codedWidth, codedHeight)}
      ${seek === null ? [] : argv`-noaccurate_seek -ss ${seek}us`} -i ${fileUrl(source(clip.source))}`
  })
  const encode = argv`
    ${RUN} -copyts ${encoder.global} ${inputs}
    -filter_complex_threads 1 -filter_complex_script ${graph}
    -map [v] -an -sn -dn -fps_mode passthrough -frames:v ${frames} ${encoder.output}
    -color_range tv -colorspace ${color.matrix} -color_primaries ${color.primaries} -color_trc ${color.transfer}`
  const write = argv`${stripped} -video_track_timescale ${timescale(target.frameRate)} -f mp4 ${fileUrl(path)}`
  const pass = (number: 1 | 2) => argv`-pass ${number} -passlogfile ${folder}/passes`

  return {
    folders: [],
    files: [{ path: graph, text: graphFor(encoder.pixelFormat) }],
    steps:
      encoder.passes === 1
        ? [{ argv: argv`${encode} ${write}`, frames }]
        : [
            { argv: argv`${encode} ${pass(1)} -f null -`, frames: 0 },
            { argv: argv`${encode} ${pass(2)} ${write}`, frames }
          ],
    makes: [
      {
        path,
        role: "media",
        name: "",
        contentType: "video/mp4",
        video: { codec: target.codec, width: target.width, height: target.height, frames, rate: target.frameRate },
        audio: null,
        seams: []
      }
    ]
  }
}
