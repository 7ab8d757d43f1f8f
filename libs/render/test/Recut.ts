import type { TaskKey } from "@reelay/contracts/Ids"
import { TaskKey as TaskKeys } from "@reelay/contracts/Ids"
import type { Fade, Plan, Shown, Task, Work } from "@reelay/contracts/Plan"
import { createHash } from "node:crypto"
import { frameGrid } from "../src/FrameGrid.ts"
import { sourceRate } from "../src/Sections.ts"
import { approach } from "../src/Seek.ts"
import { clipOf, sectionOf } from "../src/Spec.ts"
import type { Ingested } from "./Ingest.ts"
import { unfolded } from "./Specs.ts"

/**
 * The same film with the boundaries of its chunks anywhere: `cuts` says, for a stretch of so many frames, before which of
 * them (1 … frames − 1, ascending) another chunk begins; none: all of it is one.
 */
export const recut = (
  plan: Plan,
  sources: ReadonlyArray<Ingested>,
  cuts: (frames: number) => ReadonlyArray<number>
): Plan => {
  const apart = joined(unfolded(plan))
  const pieces = new Map<TaskKey, ReadonlyArray<Task>>()
  for (const task of apart.tasks) {
    const parts = workIn(task, cuts, part(plan, sources))
    if (parts !== null) pieces.set(task.key, parts)
  }
  const tasks = apart.tasks.flatMap((task): ReadonlyArray<Task> => {
    const { work } = task
    if (work._tag !== "mux") return pieces.get(task.key) ?? [task]
    const chunks = work.chunks.flatMap((key) => pieces.get(key)?.map((piece) => piece.key) ?? [key])
    return [{ ...task, work: { ...work, chunks } }]
  })
  return { ...apart, tasks }
}

/** Neighbouring chunks of a section as one. */
const joined = (plan: Plan): Plan => {
  const gone = new Set<TaskKey>()
  let before: Task | undefined
  const tasks = [...plan.tasks]
  for (const task of plan.tasks) {
    const [one, other] = [before?.work, task.work]
    const fits =
      one?._tag === "chunk" && other._tag === "chunk" && one.clip === other.clip && one.section === other.section
    if (before === undefined || !fits || one.to !== other.from) {
      before = other._tag === "chunk" ? task : undefined
      continue
    }
    const shift = (fade: Fade): Fade => ({ ...fade, from: fade.from + other.from - one.from })
    const fades = [...(one.fades ?? []), ...(other.fades ?? []).filter(({ from }) => from >= 0).map(shift)]
    const both: Task = {
      ...before,
      frames: before.frames + task.frames,
      work: { ...one, to: other.to, hold: other.hold, fades }
    }
    tasks[tasks.indexOf(before)] = both
    gone.add(task.key)
    before = both
  }
  const left = (keys: ReadonlyArray<TaskKey>) => keys.filter((key) => !gone.has(key))
  return {
    ...plan,
    tasks: tasks
      .filter(({ key }) => !gone.has(key))
      .map((task) => ({
        ...task,
        needs: left(task.needs),
        work: task.work._tag === "mux" ? { ...task.work, chunks: left(task.work.chunks) } : task.work
      }))
  }
}

type Part = (shown: Shown, from: number, to: number) => Shown

/** Frames [from, to) of what is shown, counted from its first. */
const part =
  ({ spec }: Plan, sources: ReadonlyArray<Ingested>): Part =>
  (shown, from, to) => {
    const { clip, media } = clipOf(spec, shown.clip)
    const index = sources[clip.source]?.index
    if (index === undefined) throw new Error("no such source")
    const section = sectionOf(clip, shown.section, spec.target.frameRate)
    const { timeBase, zeroPts } = media.picture
    const grid = frameGrid(timeBase, zeroPts, section.start, sourceRate(section, spec.target.frameRate))
    const range = { from: shown.from + from, to: shown.from + to }
    return { ...shown, ...range, ...approach(media, index, grid, range.from, range.to) }
  }

const workIn = (
  task: Task,
  cuts: (frames: number) => ReadonlyArray<number>,
  part: Part
): ReadonlyArray<Task> | null => {
  const { work } = task
  if (work._tag !== "chunk" && work._tag !== "dissolve") return null
  const bounds = [0, ...cuts(task.frames), task.frames]
  return bounds.slice(1).map((to, i) => {
    const from = bounds[i] ?? 0
    const key = TaskKeys.make(createHash("sha256").update(`${task.key} ${from} ${to}`).digest("hex"))
    const piece: Work =
      work._tag === "dissolve"
        ? { ...work, first: part(work.first, from, to), second: part(work.second, from, to), at: work.at + from }
        : { ...work, ...part(work, from, to), fades: fadesIn(work.fades ?? [], from, to) }
    return { ...task, key, frames: to - from, work: piece }
  })
}

const fadesIn = (fades: ReadonlyArray<Fade>, from: number, to: number): ReadonlyArray<Fade> =>
  fades
    .filter((fade) => (fade.direction === "in" ? fade.from + fade.frames > from : fade.from < to))
    .map((fade) => ({ ...fade, from: fade.from - from }))
