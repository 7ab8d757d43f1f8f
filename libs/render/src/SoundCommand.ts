import type { Heard, Operation, Plan } from "@reelay/contracts/Plan"
import { argv } from "./Argv.ts"
import { concatenated, concatList, stripped } from "./Container.ts"
import { SOUND_BITRATE } from "./Estimate.ts"
import { MEASURING, normalising, triesOf, trying } from "./Loudness.ts"
import { evenInput, fileUrl, mediaInput, RUN } from "./Safety.ts"
import {
  crossfadeGraph,
  evening,
  heard,
  mayChange,
  soundGraph,
  soundSeek,
  soundtrackGraph,
  soundtrackTrials,
  type Take
} from "./SoundGraph.ts"
import { clipOf, soundCodec } from "./Spec.ts"
import type { Places, Step, TaskCommand } from "./TaskCommand.ts"
import { SAMPLE_RATE } from "./Timeline.ts"

/** A clip's sound. */
export const soundCommand = (
  plan: Plan,
  { clip, fadeIn = 0, fadeOut = 0, from = 0, samples }: Extract<Operation, { readonly _tag: "sound" }>,
  places: Places
): TaskCommand => {
  const take = takeOf(plan, { clip, from }, samples)
  return recorded([take], places, ([input]) => soundGraph(take, input ?? null, fadeIn, fadeOut))
}

/** The sound of two clips where one becomes the other. */
export const crossfadeCommand = (
  plan: Plan,
  work: Extract<Operation, { readonly _tag: "crossfade" }>,
  places: Places
): TaskCommand => {
  const [first, second] = [takeOf(plan, work.first, work.samples), takeOf(plan, work.second, work.samples)]
  return recorded([first, second], places, ([one, other]) =>
    crossfadeGraph(first, second, [one ?? null, other ?? null])
  )
}

const takeOf = ({ spec }: Plan, { clip, from }: Heard, samples: number): Take => ({
  ...clipOf(spec, clip),
  rate: spec.target.frameRate,
  from,
  samples
})

/**
 * What a graph makes of stretches of sound, all equally long, as PCM. It gets the number of each one's input; one that is
 * silent opens no file: its silence is made. (Wave64 pads to eight bytes, which reads as one more sample; RF64 takes more
 * than 4 GB.)
 */
const recorded = (
  takes: readonly [Take, ...ReadonlyArray<Take>],
  { source, folder }: Places,
  graphFor: (inputs: ReadonlyArray<number | null>) => string
): TaskCommand => {
  const graph = `${folder}/sound.graph`
  const path = `${folder}/sound.wav`
  const opened = takes.filter(heard)
  const evened = (take: Take) => `${folder}/even.${opened.indexOf(take)}.nut`
  const sourceOf = (take: Take) => {
    const seek = soundSeek(take)
    return argv`
      ${mediaInput} ${seek === null ? [] : argv`-noaccurate_seek -ss ${seek}us`} -i ${fileUrl(source(take.clip.source))}`
  }
  const inputs = opened.flatMap((take) =>
    mayChange(take) ? argv`${evenInput} -i ${fileUrl(evened(take))}` : sourceOf(take)
  )
  const numbers = takes.map((take) => (opened.includes(take) ? opened.indexOf(take) : null))
  return {
    folders: [],
    files: [{ path: graph, text: graphFor(numbers) }],
    steps: [
      ...opened.filter(mayChange).map((take) => ({
        argv: argv`
          ${RUN} -copyts ${sourceOf(take)} -map 0:${take.media.sound?.streamIndex ?? 0} -af ${evening(take)}
          -c:a pcm_s16le -bitexact ${stripped} -f nut ${fileUrl(evened(take))}`,
        frames: 0
      })),
      {
        argv: argv`
          ${RUN} -copyts ${inputs} -filter_complex_threads 1 -filter_complex_script ${graph}
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
        audio: { codec: "pcm_s16le", samples: takes[0].samples },
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
  const { loudness } = spec.target
  const filtered = (script: string) => argv`-filter_complex_threads 1 -filter_complex_script ${script} -map [a] -vn`
  const encode: Step = {
    argv: argv`
      ${RUN} ${concatenated(list)} ${filtered(graph)} -c:a ${encoder} -b:a ${SOUND_BITRATE[codec]} -ar ${SAMPLE_RATE} -bitexact
      ${stripped} -f ${format} ${fileUrl(path)}`,
    frames: 0
  }
  const pieceList = { path: list, text: concatList(pieces.map((key) => ({ path: made(key) }))) }
  const [measure, trial] = [`${folder}/measure.graph`, `${folder}/try.graph`]
  /** What it finds it says at the level of information, and once. */
  const listening = (script: string, measures: (said: string) => string, next: string): Step => ({
    argv: argv`${RUN} -v info ${concatenated(list)} ${filtered(script)} -f null -`,
    frames: 0,
    measures: (said) => [{ path: next, text: measures(said) }]
  })
  return {
    folders: [],
    files: [
      pieceList,
      loudness === null
        ? { path: graph, text: soundtrackGraph(samples) }
        : { path: measure, text: soundtrackGraph(samples, [MEASURING]) }
    ],
    steps:
      loudness === null
        ? [encode]
        : [
            listening(measure, (said) => soundtrackTrials(samples, trying(triesOf(loudness, said))), trial),
            listening(trial, (said) => soundtrackGraph(samples, normalising(loudness, said)), graph),
            encode
          ],
    makes: [{ path, role: "media", name: "", contentType, video: null, audio: { codec, samples }, seams: [] }]
  }
}
