import type { Operation, Plan } from "@reelay/contracts/Plan"
import { argv } from "./Argv.ts"
import type { Places, TaskCommand } from "./Command.ts"
import { concatenated, concatList, stripped } from "./Container.ts"
import { SOUND_BITRATE } from "./Estimate.ts"
import { fileUrl, mediaInput, RUN } from "./Safety.ts"
import { heard, silenceGraph, soundGraph, soundSeek, soundtrackGraph } from "./SoundGraph.ts"
import { clipOf, soundCodec } from "./Spec.ts"
import { SAMPLE_RATE } from "./Timeline.ts"

/** A clip's sound as PCM. (Wave64 pads to eight bytes, which reads as one more sample; RF64 takes more than 4 GB.) */
export const soundCommand = (
  { spec }: Plan,
  { clip: position, samples }: Extract<Operation, { readonly _tag: "sound" }>,
  { source, folder }: Places
): TaskCommand => {
  const { clip, media } = clipOf(spec, position)
  const graph = `${folder}/sound.graph`
  const path = `${folder}/sound.wav`
  // A clip without sound opens no file: its silence is made.
  const opened = heard(media, clip)
  const seek = soundSeek(media, clip)
  const input = opened
    ? argv`
        ${mediaInput} ${seek === null ? [] : argv`-noaccurate_seek -ss ${seek}us`} -i ${fileUrl(source(clip.source))}`
    : []
  return {
    folders: [],
    files: [
      { path: graph, text: opened ? soundGraph(media, clip, spec.target.frameRate, samples) : silenceGraph(samples) }
    ],
    steps: [
      {
        argv: argv`
          ${RUN} -copyts ${input} -filter_complex_threads 1 -filter_complex_script ${graph}
          -map [a] -vn -c:a pcm_s16le -bitexact ${stripped} -rf64 auto -f wav ${fileUrl(path)}`,
        frames: 0
      }
    ],
    makes: [
      {
        path,
        role: "media",
        name: "",
        contentType: "audio/wav",
        video: null,
        audio: { codec: "pcm_s16le", samples },
        seams: []
      }
    ]
  }
}

const CARRIER = {
  aac: { encoder: "aac", format: "mp4", extension: "m4a", contentType: "audio/mp4" },
  // WebM, not Ogg: only there the muxer of the finished file learns of Opus' delay, and moves no picture for it.
  opus: { encoder: "libopus", format: "webm", extension: "webm", contentType: "audio/webm" }
} as const

/** All of a file's sound, encoded once: encoding piece by piece drifts and clicks at every join. */
export const soundtrackCommand = (
  { spec }: Plan,
  { pieces, samples }: Extract<Operation, { readonly _tag: "soundtrack" }>,
  { made, folder }: Places
): TaskCommand => {
  const codec = soundCodec(spec.target.format)
  const { encoder, format, extension, contentType } = CARRIER[codec]
  const list = `${folder}/sound.list`
  const graph = `${folder}/soundtrack.graph`
  const path = `${folder}/soundtrack.${extension}`
  return {
    folders: [],
    files: [
      { path: list, text: concatList(pieces.map((key) => ({ path: made(key) }))) },
      { path: graph, text: soundtrackGraph(samples) }
    ],
    steps: [
      {
        argv: argv`
          ${RUN} ${concatenated(list)} -filter_complex_threads 1 -filter_complex_script ${graph}
          -map [a] -vn -c:a ${encoder} -b:a ${SOUND_BITRATE[codec]} -ar ${SAMPLE_RATE} -bitexact
          ${stripped} -f ${format} ${fileUrl(path)}`,
        frames: 0
      }
    ],
    makes: [{ path, role: "media", name: "", contentType, video: null, audio: { codec, samples }, seams: [] }]
  }
}
