import type { Crop, Transition } from "@reelay/contracts/Edits"
import { microsOf, type Rational } from "@reelay/contracts/Quantity"
import type { RenderSpec, SpecClip } from "@reelay/contracts/RenderSpec"
import type { Ingested } from "./Ingest.ts"
import { model } from "./Model.ts"
import type { Rectangle } from "./Reference.ts"

/**
 * What every frame of a film is made of, straight from the definitions in docs and contracts: it shares no code with the
 * compiler. Exact fractions, as the compiler must.
 */
export interface Ingredient {
  readonly source: number
  /** Position among the source's frames. */
  readonly frame: number
  /** How much of what is seen it is, 0…1. */
  readonly part: number
  /** What of it is shown: fractions of the picture. */
  readonly window: Rectangle
}
export type Film = ReadonlyArray<ReadonlyArray<Ingredient>>

export const WHOLE: Rectangle = { x: 0, y: 0, width: 1, height: 1 }

/** A stretch of a clip at one speed, in whole microseconds of the source. */
interface Stretch {
  readonly from: number
  readonly to: number
  /** Ten-thousandths. */
  readonly speed: number
}

const stretchesOf = ({ end, speed, start }: Pick<SpecClip, "start" | "end" | "speed">): ReadonlyArray<Stretch> => {
  const stretches: Array<Stretch> = []
  let at: number = start
  const until = (to: number, speed: number) => {
    if (to > at) stretches.push({ from: at, to, speed })
    at = Math.max(at, to)
  }
  for (const segment of speed.toSorted((a, b) => a.start - b.start)) {
    until(Math.min(microsOf(segment.start), end), 10_000)
    until(Math.min(microsOf(segment.end), end), Math.round(segment.rate * 10_000))
  }
  until(end, 10_000)
  return stretches
}

/** A frame of a clip: the source's frame, and the source time in seconds for which it stands. */
interface Shown {
  readonly frame: number
  readonly time: number
}

/** Frames up to the end of each stretch are round(R · Σ duration / speed): roundings never add up. */
const shownBy = (clip: SpecClip, { index }: Ingested, rate: Rational): ReadonlyArray<Shown> => {
  const shown: Array<Shown> = []
  // R · Σ duration / speed, as a fraction of one denominator.
  let [sum, over] = [0n, 1n]
  for (const { from, speed, to } of stretchesOf(clip)) {
    const [num, den] = [BigInt(to - from) * 10_000n * BigInt(rate.num), 1_000_000n * BigInt(speed) * BigInt(rate.den)]
    ;[sum, over] = [sum * den + num * over, over * den]
    const frames = Number((2n * sum + over) / (2n * over)) - shown.length
    // At another speed a source frame's place is as if the output had another rate.
    const slowed = { num: rate.num * 10_000, den: rate.den * speed }
    for (const [k, frame] of model(index, from, frames, slowed).entries()) {
      shown.push({ frame, time: from / 1e6 + (k * slowed.den) / slowed.num })
    }
  }
  return shown
}

/** Where a linear crop's window is at a time, before it is narrowed; fractions. */
export const windowAt = ({ keyframes }: Crop, time: number): Rectangle => {
  const after = keyframes.findIndex((key) => key.time > time)
  const [from, to] = [keyframes[after - 1], keyframes[after]]
  const only = after === 0 ? keyframes[0] : keyframes.at(-1)
  if (from === undefined || to === undefined) return only ?? WHOLE
  const part = (time - from.time) / (to.time - from.time)
  const mix = (side: keyof Rectangle) => from[side] + (to[side] - from[side]) * part
  return { x: mix("x"), y: mix("y"), width: mix("width"), height: mix("height") }
}

/** The largest part of a window, about its middle, that has the output's shape. `shape`: width over height, in fractions. */
export const narrowed = ({ height, width, x, y }: Rectangle, shape: number): Rectangle => {
  const [w, h] = width / height > shape ? [height * shape, height] : [width, width / shape]
  return { x: x + (width - w) / 2, y: y + (height - h) / 2, width: w, height: h }
}

const framesOf = ({ duration }: Transition, { den, num }: Rational): number =>
  Math.floor((Math.round(duration * 1e6) * num) / (den * 1e6) + 0.5)

/** For linear crops and `fit: crop`, which fills the output with what there is. */
export const filmOf = (spec: RenderSpec, sources: ReadonlyArray<Ingested>): Film => {
  const { frameRate: rate, height, width } = spec.target
  const film: Array<Array<Ingredient>> = []
  for (const [i, clip] of spec.clips.entries()) {
    const source = sources[clip.source]
    if (source === undefined) throw new Error("no such source")
    const { crop, transition } = clip
    const { picture } = source.media
    const shown = shownBy(clip, source, rate)
    const into = spec.clips[i - 1]?.transition ?? null
    const [before, after] = [into === null ? 0 : framesOf(into, rate), framesOf(transition, rate)]
    const begin = film.length - (into?.type === "dissolve" ? before : 0)
    const sinks = i === spec.clips.length - 1 ? "cut" : transition.type
    for (const [n, { frame, time }] of shown.entries()) {
      const left = shown.length - n
      let part = 1
      if (into?.type === "fade") part *= Math.min(1, n / Math.ceil(before / 2))
      if (into?.type === "dissolve") part *= Math.min(1, (n + 1) / (before + 1))
      if (sinks === "fade" && left <= Math.floor(after / 2)) part *= left / Math.floor(after / 2)
      if (sinks === "dissolve" && left <= after) part *= left / (after + 1)
      const shape = width / height / (picture.width / picture.height)
      const window = crop === null ? WHOLE : narrowed(windowAt(crop, time), shape)
      const ingredient = { source: clip.source, frame, part, window }
      film[begin + n] = [...(film[begin + n] ?? []), ingredient]
    }
  }
  return film
}
