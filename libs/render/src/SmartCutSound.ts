import type { Operation, Plan } from "@reelay/contracts/Plan"
import type { RenderSpec, SpecClip } from "@reelay/contracts/RenderSpec"
import { argv } from "./Argv.ts"
import { stripped } from "./Container.ts"
import { fileUrl, mediaInput, RUN } from "./Safety.ts"
import { zeroMicros } from "./SoundGraph.ts"
import { clipOf, soundCodec, sourceOf } from "./Spec.ts"
import type { Places, TaskCommand } from "./TaskCommand.ts"
import { roundDivide, SAMPLE_RATE } from "./Timeline.ts"

/** Samples of a packet, of the kind of AAC that cameras make. Of other kinds the length betrays that it was not this one. */
const PACKET = 1024
/** Packets before the cut: each is decoded with the one before it. */
const RUN_UP = 2
/** How far before the cut reading begins, at a key frame of the picture's. Microseconds. */
const SEEK_EARLY = 100_000

/**
 * The sample at which a smart cut's only clip begins, on the file's clock at 48 kHz; null where its sound has to be encoded:
 * packets are copied whole, and only the first can be entered in its middle, so that clips cannot be joined like this.
 */
export const soundCopiedFrom = (spec: RenderSpec, clip: SpecClip, samples: number): number | null => {
  const { media } = sourceOf(spec, clip)
  const { sound } = media
  if (sound === null || spec.target.loudness !== null) return null
  if (sound.codec !== soundCodec(spec.target.format) || sound.sampleRate !== SAMPLE_RATE || sound.channels !== 2)
    return null
  const begins = (BigInt(clip.start) * BigInt(SAMPLE_RATE)) / 1_000_000n
  const ends = (BigInt(sound.offset + sound.duration) * BigInt(SAMPLE_RATE)) / 1_000_000n
  // It sounds all through; the last packet may be short of a few samples, which nobody hears.
  if (sound.offset > clip.start || ends < begins + BigInt(samples - PACKET)) return null
  return Number(roundDivide(BigInt(zeroMicros(media) + clip.start) * BigInt(SAMPLE_RATE), 1_000_000n))
}

/** Packets that hold the samples, and some before them, which players decode and leave out: the container says so. */
export const soundCopyCommand = (
  { spec }: Plan,
  { at, clip: position, samples }: Extract<Operation, { readonly _tag: "soundcopy" }>,
  { source, folder }: Places
): TaskCommand => {
  const { clip, media } = clipOf(spec, position)
  const path = `${folder}/soundtrack.m4a`
  const first = at - RUN_UP * PACKET
  const packets = Math.ceil((samples + RUN_UP * PACKET) / PACKET)
  const seek = Math.floor((at * 1_000_000) / SAMPLE_RATE) - media.fileStart - SEEK_EARLY
  return {
    folders: [],
    files: [],
    steps: [
      {
        argv: argv`
          ${RUN} -copyts ${mediaInput} ${seek <= 0 ? [] : argv`-ss ${seek}us`} -i ${fileUrl(source(clip.source))}
          -map 0:${media.sound?.streamIndex ?? 0} -c copy -frames:a ${packets}
          -bsf:a noise=drop='lt(pts,${first})',setts=ts=TS-${at} ${stripped} -f mp4 ${fileUrl(path)}`,
        frames: 0
      }
    ],
    makes: [
      {
        path,
        role: "media",
        name: "",
        contentType: "audio/mp4",
        video: null,
        audio: { codec: "aac", samples },
        seams: []
      }
    ]
  }
}
