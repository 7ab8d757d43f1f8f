import type { TaskKey } from "@reelay/contracts/Ids"
import { type Plan, PLAN_VERSION } from "@reelay/contracts/Plan"
import type { RenderSpec, SpecClip } from "@reelay/contracts/RenderSpec"
import { isOneChunk } from "./Chunks.ts"
import { entryName, outputName } from "./Names.ts"
import { reasonsOf } from "./Reasons.ts"
import { sequenceOf, tooShort } from "./Sequence.ts"
import { type SmartCut, smartCutter } from "./SmartCut.ts"
import { soundCopiedFrom } from "./SmartCutSound.ts"
import { type CompileInput, type TaskSet, taskSet } from "./TaskSet.ts"
import { samplesBefore } from "./Timeline.ts"

/**
 * RenderSpec → task graph. Pure; the same input gives the same plan. Throws for what acceptance never lets through: a
 * clip that is shorter than its transitions, an overlay that cannot be drawn, a source without its index.
 */
export const compile = (input: CompileInput): Plan => {
  const { spec } = input
  const short = tooShort(spec.delivery, spec.clips, spec.target.frameRate)
  if (short !== null) throw new Error(`clip ${short.clip} ${short.message}`)
  const tasks = taskSet(input)
  const refusals: Array<string> = []
  const cutter = input.noSmartCut === undefined ? smartCutter(spec, input.indexes) : null
  const file: File = (clips, name) => {
    const cut = cutter?.(clips) ?? input.noSmartCut ?? null
    if (typeof cut === "string") refusals.push(cut)
    return fileOf(input, tasks, clips, name, typeof cut === "string" ? null : cut)
  }
  const final =
    spec.delivery === "clips" ? zipOf(spec, tasks, file) : file(spec.clips, outputName(spec.name, spec.target.format))
  const plan = {
    v: PLAN_VERSION,
    exportId: input.exportId,
    spec,
    family: input.family,
    build: input.build,
    tasks: tasks.all(),
    final
  }
  return { ...plan, reasons: reasonsOf(plan, input.family, refusals) }
}

type File = (clips: ReadonlyArray<SpecClip>, name: string) => TaskKey

/** Every clip a file of its own, all in one archive. */
const zipOf = (spec: RenderSpec, tasks: TaskSet, file: File): TaskKey => {
  const files = spec.clips.map((clip, position) => {
    const name = entryName(position, spec.clips.length, clip.name, spec.target.format)
    return { task: file([clip], name), name }
  })
  return tasks.zip(files, outputName(spec.name, "zip"))
}

/** One finished file of some clips in a row: a graph of tasks, or a single one when little of it is encoded. */
const fileOf = (
  input: CompileInput,
  tasks: TaskSet,
  clips: ReadonlyArray<SpecClip>,
  name: string,
  cut: SmartCut | null
): TaskKey => {
  const { spec } = input
  const { frames } = sequenceOf(clips, spec.target.frameRate)
  const copied = clips.reduce((sum, clip) => sum + copiedFrames(cut, clip), 0)
  if (!isOneChunk(frames - copied, spec.target.frameRate, input.family)) return graphOf(tasks, spec, clips, name, cut)
  const parts = taskSet(input)
  graphOf(parts, spec, clips, name, cut)
  return tasks.pass(parts.all())
}

const copiedFrames = (cut: SmartCut | null, clip: SpecClip): number => {
  const copied = cut?.copies.get(clip)
  return copied === undefined ? 0 : copied.to - copied.from
}

/** Every clip's own frames, and after it the dissolve that leads into the next one; sound likewise. */
const graphOf = (
  tasks: TaskSet,
  spec: RenderSpec,
  clips: ReadonlyArray<SpecClip>,
  name: string,
  cut: SmartCut | null
): TaskKey => {
  const rate = spec.target.frameRate
  const { frames, placed } = sequenceOf(clips, rate)
  const copied = cut === null ? null : soundCopied(tasks, spec, clips, samplesBefore(frames, rate))
  const encodesSound = spec.target.sound && copied === null
  const pictures: Array<TaskKey> = []
  const sounds: Array<TaskKey> = []
  for (const [i, here] of placed.entries()) {
    const { body, clip, dissolve, fadeIn, fadeOut, first } = here
    const next = placed[i + 1]
    // Sound is cut where the frames are cut, on the whole file's clock: rounding never adds up over clips.
    const samples = (from: number, to: number) => samplesBefore(first + to, rate) - samplesBefore(first + from, rate)
    if (body.to > body.from) {
      pictures.push(...(cut === null ? tasks.chunks(here) : tasks.cut(clip, cut.copies.get(clip), cut.edge)))
      if (encodesSound) {
        const ramps = { fadeIn: samples(0, fadeIn), fadeOut: samples(clip.frames - fadeOut, clip.frames) }
        sounds.push(tasks.sound(clip, samples(0, body.from), samples(body.from, body.to), ramps))
      }
    }
    if (next !== undefined && dissolve > 0) {
      const begins = clip.frames - dissolve
      pictures.push(...tasks.dissolve(clip, next.clip, dissolve))
      if (encodesSound) {
        sounds.push(tasks.crossfade(clip, samples(0, begins), next.clip, samples(begins, clip.frames)))
      }
    }
  }
  const soundtrack = encodesSound ? tasks.soundtrack(sounds, samplesBefore(frames, rate)) : copied
  return tasks.mux(pictures, soundtrack, frames, name)
}

/** The soundtrack of a smart cut of one clip, where that is copied, too. */
const soundCopied = (
  tasks: TaskSet,
  spec: RenderSpec,
  clips: ReadonlyArray<SpecClip>,
  samples: number
): TaskKey | null => {
  const [clip] = clips
  if (clip === undefined || clips.length > 1) return null
  const at = soundCopiedFrom(spec, clip, samples)
  return at === null ? null : tasks.soundcopy(clip, at, samples)
}
