import type { Family } from "@reelay/contracts/Export"
import type { ExportId, TaskKey } from "@reelay/contracts/Ids"
import type { FrameIndex, PictureInfo } from "@reelay/contracts/Media"
import type { Rational } from "@reelay/contracts/Quantity"
import {
  type Build,
  lightPool,
  type Plan,
  type PoolName,
  type Task,
  videoPool,
  type Work
} from "@reelay/contracts/Plan"
import type { RenderSpec, SpecClip, SpecSource, Target } from "@reelay/contracts/RenderSpec"
import { chunksOf, isOneChunk } from "./Chunks.ts"
import { framingOf, timesOf } from "./Crop.ts"
import { weightFor } from "./Encoders.ts"
import { frameGrid } from "./FrameGrid.ts"
import { entryName, outputName } from "./Names.ts"
import { sectionsOf, sourceRate } from "./Sections.ts"
import { approach, runUp } from "./Seek.ts"
import { notRendered, soundCodec, sourceOf } from "./Spec.ts"
import { type Canonical, taskKey } from "./TaskKey.ts"
import { samplesBefore } from "./Timeline.ts"

/** Part of every task key: raise it whenever the same work would make other bytes. */
export const COMPILER = 1

export interface CompileInput {
  readonly exportId: ExportId
  readonly spec: RenderSpec
  readonly family: Family
  readonly build: Build
  /** By `SpecSource.indexKey`: one for every source. */
  readonly indexes: ReadonlyMap<string, FrameIndex>
}

/**
 * RenderSpec → task graph. Pure; the same input gives the same plan. Throws for what acceptance never lets through: an edit
 * that is not rendered yet, a source without its index.
 */
export const compile = (input: CompileInput): Plan => {
  const { spec } = input
  const missing = notRendered(spec)
  if (missing !== null) throw new Error(`${missing} does not work yet`)
  const tasks = taskSet(input)
  const final =
    spec.delivery === "clips"
      ? zipOf(input, tasks)
      : fileOf(input, tasks, spec.clips, outputName(spec.name, spec.target.format))
  return {
    v: 1,
    exportId: input.exportId,
    spec,
    family: input.family,
    build: input.build,
    tasks: tasks.all(),
    final,
    reasons: tasks.reasons()
  }
}

/** Every clip a file of its own, all in one archive. */
const zipOf = (input: CompileInput, tasks: TaskSet): TaskKey => {
  const { spec } = input
  const files = spec.clips.map((clip, position) => {
    const name = entryName(position, spec.clips.length, clip.name, spec.target.format)
    return { task: fileOf(input, tasks, [clip], name), name }
  })
  return tasks.zip(files, outputName(spec.name, "zip"))
}

/** One finished file of some clips in a row: a graph of tasks, or a single one when it is short. */
const fileOf = (input: CompileInput, tasks: TaskSet, clips: ReadonlyArray<SpecClip>, name: string): TaskKey => {
  const { spec } = input
  const frames = clips.reduce((sum, clip) => sum + clip.frames, 0)
  if (!isOneChunk(frames, spec.target.frameRate, input.family)) return graphOf(tasks, spec, clips, name)
  const parts = taskSet(input)
  graphOf(parts, spec, clips, name)
  return tasks.pass(parts.all())
}

const graphOf = (tasks: TaskSet, spec: RenderSpec, clips: ReadonlyArray<SpecClip>, name: string): TaskKey => {
  const rate = spec.target.frameRate
  const chunks: Array<TaskKey> = []
  const pieces: Array<TaskKey> = []
  let frames = 0
  for (const clip of clips) {
    chunks.push(...tasks.chunks(clip))
    // Cut where the frames are cut, on the whole file's clock: rounding never adds up over clips.
    if (spec.target.sound) {
      pieces.push(tasks.sound(clip, samplesBefore(frames + clip.frames, rate) - samplesBefore(frames, rate)))
    }
    frames += clip.frames
  }
  const soundtrack = spec.target.sound ? tasks.soundtrack(pieces, samplesBefore(frames, rate)) : null
  return tasks.mux(chunks, soundtrack, frames, name)
}

interface TaskSet {
  chunks(clip: SpecClip): ReadonlyArray<TaskKey>
  sound(clip: SpecClip, samples: number): TaskKey
  soundtrack(pieces: ReadonlyArray<TaskKey>, samples: number): TaskKey
  mux(chunks: ReadonlyArray<TaskKey>, soundtrack: TaskKey | null, frames: number, name: string): TaskKey
  /** The parts in their order; the last one's key, for it is what comes of it. */
  pass(parts: ReadonlyArray<Task>): TaskKey
  zip(files: ReadonlyArray<{ readonly task: TaskKey; readonly name: string }>, name: string): TaskKey
  all(): ReadonlyArray<Task>
  reasons(): ReadonlyArray<string>
}

/**
 * The tasks of one plan, each once however often it is needed: two clips with the same picture are one task. A key
 * covers what the task makes and nothing else. Not in it: where the source lies and what it is called, the rest of the
 * timeline, how the source is seeked, and (for chunks) container and name of the output.
 */
const taskSet = ({ spec, family, build, indexes }: CompileInput): TaskSet => {
  const { target } = spec
  const tasks = new Map<TaskKey, Task>()
  const video = videoPool(family, target.codec, build)
  const light = lightPool(build)
  const weight = weightFor(target.width, target.height)
  const grounds = { compiler: COMPILER, build, tenant: spec.tenant }
  const picture = {
    codec: target.codec,
    width: target.width,
    height: target.height,
    frameRate: { ...target.frameRate }
  }

  const add = (key: TaskKey, pool: PoolName, frames: number, needs: ReadonlyArray<TaskKey>, work: Work): TaskKey => {
    if (!tasks.has(key)) {
      tasks.set(key, { key, pool, needs: [...new Set(needs)], frames, weight: pool === video ? weight : 1, work })
    }
    return key
  }

  return {
    chunks: (clip) => {
      const source = sourceOf(spec, clip)
      const { media } = source
      const index = indexes.get(source.indexKey)
      if (index === undefined) throw new Error(`no frame index for ${source.indexKey}`)
      const { frameRate } = target
      return sectionsOf(clip, frameRate).flatMap((section, position) => {
        const { timeBase, zeroPts } = media.picture
        const grid = frameGrid(timeBase, zeroPts, section.start, sourceRate(section, frameRate))
        const inVain = (frame: number) => runUp(media, index, grid, frame)
        return chunksOf(section.frames, frameRate, family, inVain).map(({ from, to }) => {
          const key = taskKey({
            ...grounds,
            task: "chunk",
            family,
            source: pictureFacts(source),
            start: section.start,
            speed: [section.speed.num, section.speed.den],
            from,
            to,
            shown: shownKey(clip, media.picture, target, timesOf(section, frameRate, from, to)),
            ...picture,
            quality: target.quality,
            mode: target.mode
          })
          const work: Work = {
            _tag: "chunk",
            clip: spec.clips.indexOf(clip),
            section: position,
            from,
            to,
            ...approach(media, index, grid, from, to)
          }
          return add(key, video, to - from, [], work)
        })
      })
    },
    sound: (clip, samples) => {
      const source = sourceOf(spec, clip)
      const heard =
        source.media.sound === null ? null : { ...soundFacts(source), sections: soundSections(clip, target.frameRate) }
      const key = taskKey({ ...grounds, task: "sound", heard, samples })
      return add(key, light, 0, [], { _tag: "sound", clip: spec.clips.indexOf(clip), samples })
    },
    soundtrack: (pieces, samples) => {
      const key = taskKey({
        ...grounds,
        task: "soundtrack",
        pieces: [...pieces],
        samples,
        codec: soundCodec(target.format)
      })
      return add(key, light, 0, pieces, { _tag: "soundtrack", pieces, samples })
    },
    mux: (chunks, soundtrack, frames, name) => {
      const parts = { chunks: [...chunks], soundtrack, frames, format: target.format, name }
      const key = taskKey({ ...grounds, task: "mux", ...parts, ...picture })
      const needs = soundtrack === null ? chunks : [...chunks, soundtrack]
      return add(key, light, 0, needs, { _tag: "mux", chunks, soundtrack, frames, name })
    },
    pass: (parts) => {
      const frames = parts.reduce((sum, part) => sum + part.frames, 0)
      const inOrder = parts.flatMap(({ frames, key, work }) =>
        work._tag === "pass" || work._tag === "zip" ? [] : [{ key, frames, work }]
      )
      const last = inOrder.at(-1)
      if (last === undefined) throw new Error("a pass without parts")
      return add(last.key, video, frames, [], { _tag: "pass", parts: inOrder })
    },
    zip: (files, name) => {
      const key = taskKey({ ...grounds, task: "zip", files: files.map((file) => ({ ...file })), name })
      return add(
        key,
        light,
        0,
        files.map((file) => file.task),
        { _tag: "zip", files, name }
      )
    },
    all: () => [...tasks.values()],
    reasons: () => {
      const count = (tag: Work["_tag"]) => [...tasks.values()].filter((task) => task.work._tag === tag).length
      const [chunks, passes] = [count("chunk"), count("pass")]
      const way = [
        ...(chunks > 0 ? [`${chunks} chunks, frame-exact, at constant quality`] : []),
        ...(passes > 0 ? [`one pass: shorter than a chunk${passes > 1 ? ` (${passes} files)` : ""}`] : [])
      ].join("; ")
      return [
        `picture: ${way}, ${target.codec} on ${family}`,
        target.sound ? "sound: cut per clip, encoded once" : "no clip has sound"
      ]
    }
  }
}

/** What of a source its picture depends on. The facts beside the digest are readings that a later ingest may mend. */
const pictureFacts = ({ sha256, media: { picture } }: SpecSource): Canonical => ({
  sha256,
  stream: picture.streamIndex,
  timeBase: { ...picture.timeBase },
  zero: picture.zeroPts,
  color: [picture.colorRange, picture.colorSpace, picture.colorTransfer, picture.colorPrimaries],
  size: [picture.width, picture.height]
})

/** What of the picture is shown, as the frames of this chunk show it: a later keyframe is none of its business. */
const shownKey = (
  { crop }: SpecClip,
  picture: PictureInfo,
  target: Target,
  times: ReadonlyArray<number>
): Canonical => {
  if (crop === null) return target.fit
  const framing = framingOf(crop, picture, target, times)
  if (framing._tag === "still") return [framing.x, framing.y, framing.width, framing.height]
  return framing.path.map(({ frame, height, width, x, y }) => [frame, x, y, width, height])
}

/** Where a clip's sound is cut, and how fast each piece goes. At the usual speed all through, only the start matters. */
const soundSections = (clip: SpecClip, rate: Rational): Canonical => {
  const sections = sectionsOf(clip, rate)
  if (sections.every(({ speed }) => speed.num === speed.den)) return clip.start
  return sections.map(({ end, first, speed, start }) => [start, end, speed.num, samplesBefore(first, rate)])
}

const soundFacts = ({ sha256, media: { picture, sound } }: SpecSource) => ({
  sha256,
  stream: sound?.streamIndex ?? null,
  channels: sound?.channels ?? null,
  timeBase: { ...picture.timeBase },
  zero: picture.zeroPts
})
