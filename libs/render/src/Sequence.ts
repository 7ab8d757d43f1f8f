import type { Transition } from "@reelay/contracts/Edits"
import type { Delivery } from "@reelay/contracts/Export"
import type { Fade } from "@reelay/contracts/Plan"
import { Micros, microsOf, type Rational } from "@reelay/contracts/Quantity"
import type { SpecClip } from "@reelay/contracts/RenderSpec"
import type { Range } from "./Chunks.ts"
import { framesBetween, secondsAt } from "./Timeline.ts"

/**
 * Clips on their file's clock, in whole frames. A dissolve of D frames lays the last D of a clip over the first D of the
 * next one: the file is D frames shorter. A fade takes no time: the clip's last ⌊D/2⌋ frames sink to black, and the next
 * one's first D − ⌊D/2⌋ rise out of it; the next one's very first is black.
 */
export interface Placed<C> {
  readonly clip: C
  /** Frame of the file in which the clip's first frame is shown. */
  readonly first: number
  /** Its own frames, those that no dissolve takes; there may be none. */
  readonly body: Range
  /** Frames at its start in which it comes out of black, and at its end in which it sinks into it. */
  readonly fadeIn: number
  readonly fadeOut: number
  /** Frames at its end that lie over the next clip's first ones. */
  readonly dissolve: number
}

export interface Sequence<C> {
  /** One for each clip. */
  readonly placed: ReadonlyArray<Placed<C>>
  /** Of the file. */
  readonly frames: number
}

type Clip = Pick<SpecClip, "frames" | "transition">

/** Frames that a clip and its successor give to the transition between them. */
interface Joint {
  readonly dissolve: number
  readonly fadeOut: number
  readonly fadeIn: number
}

const CUT: Joint = { dissolve: 0, fadeOut: 0, fadeIn: 0 }

const jointOf = ({ duration, type }: Transition, rate: Rational): Joint => {
  const frames = framesBetween(Micros.make(0), microsOf(duration), rate)
  switch (type) {
    case "cut":
      return CUT
    case "dissolve":
      return { ...CUT, dissolve: frames }
    case "fade":
      return { ...CUT, fadeOut: Math.floor(frames / 2), fadeIn: Math.ceil(frames / 2) }
  }
}

/** Each clip with what lies before and after it. The last one's transition leads nowhere. */
const joined = <C extends Clip>(clips: ReadonlyArray<C>, rate: Rational) => {
  const after = clips.map(({ transition }, i) => (i < clips.length - 1 ? jointOf(transition, rate) : CUT))
  return clips.map((clip, i) => ({ clip, before: after[i - 1] ?? CUT, after: after[i] ?? CUT }))
}

/** For clips that are long enough for their transitions. */
export const sequenceOf = <C extends Clip>(clips: ReadonlyArray<C>, rate: Rational): Sequence<C> => {
  let end = 0
  const placed = joined(clips, rate).map(({ after, before, clip }): Placed<C> => {
    const { frames } = clip
    const first = end - before.dissolve
    end = first + frames
    return {
      clip,
      first,
      body: { from: before.dissolve, to: frames - after.dissolve },
      fadeIn: before.fadeIn,
      fadeOut: after.fadeOut,
      dissolve: after.dissolve
    }
  })
  return { placed, frames: end }
}

/** The fades of a clip that touch its frames [from, to), counted from the first of these. */
export const fadesWithin = ({ clip, fadeIn, fadeOut }: Placed<Clip>, { from, to }: Range): ReadonlyArray<Fade> => [
  ...(from < fadeIn ? [{ direction: "in" as const, from: 0 - from, frames: fadeIn }] : []),
  ...(to > clip.frames - fadeOut
    ? [{ direction: "out" as const, from: clip.frames - fadeOut - from, frames: fadeOut }]
    : [])
]

/** The clips of each file of an export: all of them in one, or each in its own, where transitions lead nowhere. */
const filesOf = (delivery: Delivery, clips: ReadonlyArray<Clip>): ReadonlyArray<ReadonlyArray<Clip>> =>
  delivery === "clips" ? clips.map((clip) => [clip]) : [clips]

/** Output frames of all files of an export together. */
export const totalFrames = (delivery: Delivery, clips: ReadonlyArray<Clip>, rate: Rational): number =>
  filesOf(delivery, clips).reduce((sum, file) => sum + sequenceOf(file, rate).frames, 0)

export interface TooShort {
  /** Position of the clip. */
  readonly clip: number
  /** Without a subject: "lasts 0.8 s, …". */
  readonly message: string
}

/** The first clip that is shorter than what its transitions take of it; null when there is none. */
export const tooShort = (delivery: Delivery, clips: ReadonlyArray<Clip>, rate: Rational): TooShort | null => {
  if (delivery === "clips") return null
  for (const [position, { after, before, clip }] of joined(clips, rate).entries()) {
    const taken = before.dissolve + before.fadeIn + after.fadeOut + after.dissolve
    if (taken > clip.frames) {
      const seconds = (count: number) => `${Number(secondsAt(count, rate).toFixed(2))} s (${count} frames)`
      return {
        clip: position,
        message: `lasts ${seconds(clip.frames)}, but its transitions take ${seconds(taken)} of it`
      }
    }
  }
  return null
}
