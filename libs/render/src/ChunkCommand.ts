import type { Operation, Plan } from "@reelay/contracts/Plan"
import { argv } from "./Argv.ts"
import type { Places, TaskCommand } from "./Command.ts"
import { stripped, timescale } from "./Container.ts"
import { encoderArguments, threadsFor } from "./Encoders.ts"
import { framingOf, timesOf } from "./Crop.ts"
import { frameGrid } from "./FrameGrid.ts"
import { fileUrl, mediaInput, RUN } from "./Safety.ts"
import { sourceRate } from "./Sections.ts"
import { clipOf, sectionOf } from "./Spec.ts"
import { outputColor, videoGraph } from "./VideoGraph.ts"

/**
 * Frames of a clip as a closed piece of video: MP4 for every codec, because its time stamps are exact at any rate and the
 * concat demuxer joins such pieces without decoding anything.
 */
export const chunkCommand = (
  { spec, family }: Plan,
  work: Extract<Operation, { readonly _tag: "chunk" }>,
  { source, folder, device }: Places
): TaskCommand => {
  const { target } = spec
  const { clip, media } = clipOf(spec, work.clip)
  const section = sectionOf(clip, work.section, target.frameRate)
  const { picture } = media
  const encoder = encoderArguments({ ...target, family, device })
  const color = outputColor(picture)
  const frames = work.to - work.from
  const graph = `${folder}/video.graph`
  const path = `${folder}/chunk.mp4`

  // Where a stream changes its size on the way, a new graph would count its frames from the start again; scale adapts.
  const encode = argv`
    ${RUN} -copyts ${encoder.global}
    ${mediaInput} -reinit_filter 0 -threads ${threadsFor(picture.codedWidth, picture.codedHeight)}
    ${work.seek === null ? [] : argv`-noaccurate_seek -ss ${work.seek}us`} -i ${fileUrl(source(clip.source))}
    -filter_complex_threads 1 -filter_complex_script ${graph}
    -map [v] -an -sn -dn -fps_mode passthrough -frames:v ${frames} ${encoder.output}
    -color_range tv -colorspace ${color.matrix} -color_primaries ${color.primaries} -color_trc ${color.transfer}`
  const write = argv`${stripped} -video_track_timescale ${timescale(target.frameRate)} -f mp4 ${fileUrl(path)}`
  const pass = (number: 1 | 2) => argv`-pass ${number} -passlogfile ${folder}/passes`

  return {
    folders: [],
    files: [
      {
        path: graph,
        text: videoGraph({
          picture,
          target,
          grid: frameGrid(picture.timeBase, picture.zeroPts, section.start, sourceRate(section, target.frameRate)),
          from: work.from,
          to: work.to,
          seeked: work.seek !== null,
          hold: work.hold,
          pixelFormat: encoder.pixelFormat,
          framing:
            clip.crop === null
              ? null
              : framingOf(clip.crop, picture, target, timesOf(section, target.frameRate, work.from, work.to))
        })
      }
    ],
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
