import type { Family } from "@reelay/contracts/Export"
import type { ExportId, TaskKey } from "@reelay/contracts/Ids"
import type { FrameIndex } from "@reelay/contracts/Media"
import {
  type Build,
  type Edge,
  type Fade,
  lightPool,
  type PoolName,
  type Shown,
  type Task,
  videoPool,
  type Work
} from "@reelay/contracts/Plan"
import type { RenderSpec, SpecClip } from "@reelay/contracts/RenderSpec"
import { chunksOf, type Range, type RunUps } from "./Chunks.ts"
import { clipOverlays, drawnFacts } from "./ClipOverlays.ts"
import { timesOf } from "./Crop.ts"
import { weightFor } from "./Encoders.ts"
import { heardFacts, pictureFacts, shownFacts } from "./Facts.ts"
import { frameGrid } from "./FrameGrid.ts"
import { type Section, sectionsOf, sourceRate } from "./Sections.ts"
import { approach, keysNear, runUp } from "./Seek.ts"
import { fadesWithin, type Placed } from "./Sequence.ts"
import type { Copied } from "./SmartCut.ts"
import { soundCodec, sourceOf } from "./Spec.ts"
import { type CanonicalObject, taskKey } from "./TaskKey.ts"

/** Part of every task key: raise it whenever the same work would make other bytes. */
export const COMPILER = 7

export interface CompileInput {
  readonly exportId: ExportId
  readonly spec: RenderSpec
  readonly family: Family
  readonly build: Build
  /** By `SpecSource.indexKey`: one for every source. */
  readonly indexes: ReadonlyMap<string, FrameIndex>
  /** Why nothing is to be copied, where copying has failed before. */
  readonly noSmartCut?: string
}

/** What a plan can be made of. */
export interface TaskSet {
  /** Of the frames that no dissolve takes. */
  chunks(placed: Placed<SpecClip>): ReadonlyArray<TaskKey>
  /** Of all its frames: those that can be copied, and the others so that they go together with copied ones. */
  cut(clip: SpecClip, copied: Copied | undefined, edge: Edge): ReadonlyArray<TaskKey>
  /** The first clip's last frames over the second one's first ones. */
  dissolve(first: SpecClip, second: SpecClip, frames: number): ReadonlyArray<TaskKey>
  /** All in samples; `from`: of the clip's, before the piece. */
  sound(
    clip: SpecClip,
    from: number,
    samples: number,
    ramps: { readonly fadeIn: number; readonly fadeOut: number }
  ): TaskKey
  /** `from`: samples of the first clip before it begins. */
  crossfade(first: SpecClip, from: number, second: SpecClip, samples: number): TaskKey
  soundtrack(pieces: ReadonlyArray<TaskKey>, samples: number): TaskKey
  /** Of the clip's sound, from a sample of the file's on. */
  soundcopy(clip: SpecClip, at: number, samples: number): TaskKey
  mux(chunks: ReadonlyArray<TaskKey>, soundtrack: TaskKey | null, frames: number, name: string): TaskKey
  /** The parts in their order; the last one's key, for it is what comes of it. */
  pass(parts: ReadonlyArray<Task>): TaskKey
  zip(files: ReadonlyArray<{ readonly task: TaskKey; readonly name: string }>, name: string): TaskKey
  all(): ReadonlyArray<Task>
}

/**
 * The tasks of one plan, each once however often it is needed: two clips with the same picture are one task. A key
 * covers what the task makes and nothing else. Not in it: where the source lies and what it is called, the rest of the
 * timeline, how the source is seeked, and (for chunks) container and name of the output.
 */
export const taskSet = ({ spec, family, build, indexes }: CompileInput): TaskSet => {
  const { target } = spec
  const { frameRate } = target
  const tasks = new Map<TaskKey, Task>()
  const video = videoPool(family, target.codec, build)
  const light = lightPool(build)
  const weight = weightFor(target.width, target.height)
  const grounds = { compiler: COMPILER, build, tenant: spec.tenant }
  const picture = {
    codec: target.codec,
    width: target.width,
    height: target.height,
    frameRate: { ...frameRate }
  }
  const encoding = { ...picture, family, quality: target.quality, mode: target.mode }

  const add = (key: TaskKey, pool: PoolName, frames: number, needs: ReadonlyArray<TaskKey>, work: Work): TaskKey => {
    if (!tasks.has(key)) {
      tasks.set(key, { key, pool, needs: [...new Set(needs)], frames, weight: pool === video ? weight : 1, work })
    }
    return key
  }

  /** A clip's sections, each with how its source frames are got at. */
  const readable = (clip: SpecClip) => {
    const source = sourceOf(spec, clip)
    const { media } = source
    const index = indexes.get(source.indexKey)
    if (index === undefined) throw new Error(`no frame index for ${source.indexKey}`)
    const overlays = clipOverlays(spec, clip)
    const framed = overlays.beside === null ? target : { ...target, ...overlays.beside.size }
    return sectionsOf(clip, frameRate).map((section, position) => {
      const { timeBase, zeroPts } = media.picture
      const grid = frameGrid(timeBase, zeroPts, section.start, sourceRate(section, frameRate))
      return {
        section,
        /** Of frames counted from one of the section's. */
        runUps: (first: number): RunUps => ({
          before: (frame) => runUp(media, index, grid, first + frame),
          keysNear: (frame) => keysNear(index, grid, first + frame).map((key) => key - first)
        }),
        /** Frames of the section: what a task is to show, and what of that its key covers. */
        shown: ({ from, to }: Range): { readonly shown: Shown; readonly facts: CanonicalObject } => ({
          shown: {
            clip: spec.clips.indexOf(clip),
            section: position,
            from,
            to,
            ...approach(media, index, grid, from, to)
          },
          facts: {
            source: pictureFacts(source),
            start: section.start,
            speed: [section.speed.num, section.speed.den],
            from,
            to,
            shown: shownFacts(clip, media.picture, framed, timesOf(section, frameRate, from, to)),
            ...drawnFacts(overlays.over(section, from, to))
          }
        })
      }
    })
  }

  const addChunk = (
    { facts, shown }: ReturnType<ReturnType<typeof readable>[number]["shown"]>,
    how: { readonly fades: ReadonlyArray<Fade> } | { readonly edge: Edge } | Record<never, never>
  ): TaskKey => {
    const by = "edge" in how ? { ...encoding, family: "software" } : encoding
    const key = taskKey({ ...grounds, task: "chunk", ...facts, ...by, ...how })
    return add(key, video, shown.to - shown.from, [], { _tag: "chunk", ...shown, ...how })
  }

  const addCopy = (clip: SpecClip, { ahead, at, from, late, to }: Copied): TaskKey => {
    const facts = { source: pictureFacts(sourceOf(spec, clip)), frameRate: { ...frameRate } }
    // Where it lies in the clip is nothing that the copy shows.
    const key = taskKey({ ...grounds, task: "copy", ...facts, at, frames: to - from, ahead })
    return add(key, light, to - from, [], { _tag: "copy", clip: spec.clips.indexOf(clip), from, to, at, late, ahead })
  }

  return {
    chunks: (placed) =>
      readable(placed.clip).flatMap(({ runUps, section, shown }) =>
        // Of the whole section's chunks, so that a transition changes those alone that it touches.
        chunksOf(section.frames, frameRate, family, runUps(0)).flatMap((chunk) => {
          const range = within(chunk, placed.body, section)
          if (range === null) return []
          const fades = fadesWithin(placed, { from: section.first + range.from, to: section.first + range.to })
          return [addChunk(shown(range), fades.length === 0 ? {} : { fades })]
        })
      ),
    cut: (clip, copied, edge) => {
      const encoded = readable(clip).flatMap(({ runUps, section, shown }) => {
        const chunks = ({ from, to }: Range): ReadonlyArray<TaskKey> =>
          to === from
            ? []
            : chunksOf(to - from, frameRate, "software", runUps(from)).map((chunk) =>
                addChunk(shown({ from: from + chunk.from, to: from + chunk.to }), { edge })
              )
        if (copied === undefined) return chunks({ from: 0, to: section.frames })
        return [
          ...chunks({ from: 0, to: copied.from }),
          addCopy(clip, copied),
          ...chunks({ from: copied.to, to: section.frames })
        ]
      })
      return encoded
    },
    dissolve: (first, second, of) => {
      const [sinking, rising] = [readable(first), readable(second)]
      const start = first.frames - of
      // Where either side changes its speed, another piece begins.
      return sinking.flatMap((below) =>
        rising.flatMap((above) => {
          const at = Math.max(0, below.section.first - start, above.section.first)
          const end = Math.min(of, endOf(below.section) - start, endOf(above.section))
          if (end <= at) return []
          const [one, other] = [
            below.shown({ from: start + at - below.section.first, to: start + end - below.section.first }),
            above.shown({ from: at - above.section.first, to: end - above.section.first })
          ]
          const key = taskKey({
            ...grounds,
            task: "dissolve",
            first: one.facts,
            second: other.facts,
            at,
            of,
            ...encoding
          })
          return [add(key, video, end - at, [], { _tag: "dissolve", first: one.shown, second: other.shown, at, of })]
        })
      )
    },
    sound: (clip, from, samples, ramps) => {
      const heard = heardFacts(sourceOf(spec, clip), clip, frameRate)
      // Nothing is said of what is not asked for; and silence is the same everywhere.
      const asked = Object.fromEntries(Object.entries({ from, ...ramps }).filter(([, count]) => count > 0))
      const key = taskKey({ ...grounds, task: "sound", heard, samples, ...(heard === null ? {} : asked) })
      return add(key, light, 0, [], { _tag: "sound", clip: spec.clips.indexOf(clip), samples, ...asked })
    },
    crossfade: (first, from, second, samples) => {
      const heard = (clip: SpecClip) => heardFacts(sourceOf(spec, clip), clip, frameRate)
      const key = taskKey({ ...grounds, task: "crossfade", first: heard(first), from, second: heard(second), samples })
      const [one, other] = [spec.clips.indexOf(first), spec.clips.indexOf(second)]
      return add(key, light, 0, [], {
        _tag: "crossfade",
        first: { clip: one, from },
        second: { clip: other, from: 0 },
        samples
      })
    },
    soundtrack: (pieces, samples) => {
      const key = taskKey({
        ...grounds,
        task: "soundtrack",
        pieces: [...pieces],
        samples,
        codec: soundCodec(target.format),
        loudness: target.loudness
      })
      return add(key, light, 0, pieces, { _tag: "soundtrack", pieces, samples })
    },
    soundcopy: (clip, at, samples) => {
      const source = sourceOf(spec, clip)
      const heard = { sha256: source.sha256, stream: source.media.sound?.streamIndex ?? null }
      const key = taskKey({ ...grounds, task: "soundcopy", ...heard, at, samples })
      return add(key, light, 0, [], { _tag: "soundcopy", clip: spec.clips.indexOf(clip), at, samples })
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
    all: () => [...tasks.values()]
  }
}

const endOf = ({ first, frames }: Section): number => first + frames

/** The frames of a section's chunk that belong to the clip's body; null when there are none. */
const within = (chunk: Range, body: Range, { first }: Section): Range | null => {
  const [from, to] = [Math.max(chunk.from, body.from - first), Math.min(chunk.to, body.to - first)]
  return to > from ? { from, to } : null
}
