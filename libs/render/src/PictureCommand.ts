import type { Edge, Operation, Plan, Shown } from "@reelay/contracts/Plan"
import { argv } from "./Argv.ts"
import type { Painted } from "./AssColor.ts"
import { clipOverlays } from "./ClipOverlays.ts"
import { stripped, timescale } from "./Container.ts"
import { framingOf, timesOf } from "./Crop.ts"
import { HEARD } from "./Damage.ts"
import { type EncoderArguments, encoderArguments, residentOf, threadsFor } from "./Encoders.ts"
import type { Resident } from "./families/Family.ts"
import { frameGrid } from "./FrameGrid.ts"
import type { ShownImage } from "./ImageOverlay.ts"
import { fileUrl, imageInput, mediaInput, RUN } from "./Safety.ts"
import { sourceRate } from "./Sections.ts"
import { clipOf, sectionOf } from "./Spec.ts"
import type { Places, TaskCommand } from "./TaskCommand.ts"
import { deviceGraph, dissolveGraph, isPlain, OUTPUT_COLOR, type Picture, videoGraph } from "./VideoGraph.ts"

/** Frames of a clip as a closed piece of video. */
export const chunkCommand = (
  plan: Plan,
  work: Extract<Operation, { readonly _tag: "chunk" }>,
  places: Places
): TaskCommand => {
  const { images, picture, scripts } = pictureOf(plan, work, `${places.folder}/drawn`, 1)
  const fades = work.fades ?? []
  const edge = work.edge ?? null
  const resident = places.resident === true && edge === null ? residentOf(plan.family) : null
  if (resident !== null && resident.decodes(picture.picture) && isPlain(picture, fades)) {
    const graph = deviceGraph(picture, resident.scale(plan.spec.target))
    return encoded(plan, [work], [], null, places, [], () => graph, resident)
  }
  return encoded(plan, [work], images, edge, places, scripts, (pixelFormat) =>
    videoGraph({ ...picture, fades, pixelFormat })
  )
}

/** Frames in which one clip becomes the next, as a piece of the same kind. */
export const dissolveCommand = (
  plan: Plan,
  { at, first, of, second }: Extract<Operation, { readonly _tag: "dissolve" }>,
  places: Places
): TaskCommand => {
  const below = pictureOf(plan, first, `${places.folder}/below`, 2)
  const above = pictureOf(plan, second, `${places.folder}/above`, 2 + below.images.length)
  const [images, scripts] = [
    [...below.images, ...above.images],
    [...below.scripts, ...above.scripts]
  ]
  return encoded(plan, [first, second], images, null, places, scripts, (pixelFormat) =>
    dissolveGraph({ first: below.picture, second: above.picture, at, of, pixelFormat })
  )
}

/** What the graph has to know of a picture, and what has to be there for it. */
interface Needed {
  readonly picture: Picture
  readonly images: ReadonlyArray<ShownImage>
  readonly scripts: TaskCommand["files"]
}

/** `name`: what the names of the files begin with that hold what is drawn; `inputs`: how many come before its images. */
const pictureOf = ({ spec }: Plan, work: Shown, name: string, inputs: number): Needed => {
  const { target } = spec
  const { clip, media } = clipOf(spec, work.clip)
  const section = sectionOf(clip, work.section, target.frameRate)
  const { picture } = media
  const times = timesOf(section, target.frameRate, work.from, work.to)
  const { beside, over } = clipOverlays(spec, clip)
  const drawn = over(section, work.from, work.to)
  const scripts: Array<TaskCommand["files"][number]> = []
  const file = (text: string, what: string): string => {
    const path = `${name}.${what}.ass`
    scripts.push({ path, text })
    return path
  }
  const files = (drawn: ReadonlyArray<Painted>, what: string): ReadonlyArray<Painted> =>
    drawn.map(({ chroma, text }, i) => ({
      text: file(text, `${what}.${i}`),
      chroma: chroma === null ? null : file(chroma, `${what}.${i}.chroma`)
    }))
  const shown: Picture = {
    picture,
    target,
    grid: frameGrid(picture.timeBase, picture.zeroPts, section.start, sourceRate(section, target.frameRate)),
    from: work.from,
    to: work.to,
    seeked: work.seek !== null,
    hold: work.hold,
    framing: clip.crop === null ? null : framingOf(clip.crop, picture, beside?.size ?? target, times),
    beside,
    highlights: drawn.highlights === null ? null : file(drawn.highlights, "mask"),
    images: drawn.images.map((image, i) => ({ ...image, input: `${inputs + i}:v` })),
    scripts: { picture: files(drawn.picture, "picture"), both: files(drawn.both, "both") }
  }
  return { picture: shown, images: drawn.images, scripts }
}

/**
 * What a graph makes of the clips and the images over them (in the order of their inputs): MP4 for every codec, because its time stamps are exact at
 * any rate and the concat demuxer joins such pieces without decoding anything.
 */
const encoded = (
  { spec, family }: Plan,
  shown: readonly [Shown, ...ReadonlyArray<Shown>],
  images: ReadonlyArray<ShownImage>,
  edge: Edge | null,
  { source, image, folder, device }: Places,
  scripts: TaskCommand["files"],
  graphFor: (pixelFormat: EncoderArguments["pixelFormat"]) => string,
  resident: Resident | null = null
): TaskCommand => {
  const { target } = spec
  // Parameter sets can be given a number in software only.
  const by = edge === null ? { family, device } : { family: "software" as const, device: null, edge }
  const [first] = shown
  const length = first.to - first.from
  const encoder = encoderArguments({ ...target, ...by, length, frames: resident === null ? "memory" : "device" })
  const graph = `${folder}/video.graph`
  const path = `${folder}/chunk.mp4`

  // Where a stream changes its size on the way, a new graph would count its frames from the start again; scale adapts.
  const inputs = shown.flatMap(({ clip: position, seek }) => {
    const { clip, media } = clipOf(spec, position)
    const { codedHeight, codedWidth } = media.picture
    return argv`
      ${mediaInput} -reinit_filter 0 -threads ${resident === null ? threadsFor(codedWidth, codedHeight) : 1}
      ${resident === null ? [] : resident.input(media.picture)}
      ${seek === null ? [] : argv`-noaccurate_seek -ss ${seek}us`} -i ${fileUrl(source(clip.source))}`
  })
  const pictures = images.flatMap((one) => argv`${imageInput} -i ${fileUrl(image(one.image.imageId))}`)
  const encode = argv`
    ${RUN} ${HEARD} -copyts ${encoder.global} ${inputs} ${pictures}
    -filter_complex_threads 1 -filter_complex_script ${graph}
    -map [v] -an -sn -dn -fps_mode passthrough -frames:v ${length} ${encoder.output}
    -color_range tv -colorspace ${OUTPUT_COLOR.matrix} -color_primaries ${OUTPUT_COLOR.primaries} -color_trc ${OUTPUT_COLOR.transfer}`
  const write = argv`${stripped} -video_track_timescale ${timescale(target.frameRate)} -f mp4 ${fileUrl(path)}`
  const pass = (number: 1 | 2) => argv`-pass ${number} -passlogfile ${folder}/passes`

  return {
    folders: [],
    files: [{ path: graph, text: graphFor(encoder.pixelFormat) }, ...scripts],
    onDevice: resident !== null,
    steps:
      encoder.passes === 1
        ? [{ argv: argv`${encode} ${write}`, frames: length }]
        : [
            { argv: argv`${encode} ${pass(1)} -f null -`, frames: 0 },
            { argv: argv`${encode} ${pass(2)} ${write}`, frames: length }
          ],
    makes: [
      {
        path,
        role: "media",
        name: "",
        contentType: "video/mp4",
        video: {
          codec: target.codec,
          width: target.width,
          height: target.height,
          frames: length,
          rate: target.frameRate
        },
        audio: null,
        seams: []
      }
    ]
  }
}
