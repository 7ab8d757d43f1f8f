import type { Format } from "@reelay/contracts/Export"
import type { Rational } from "@reelay/contracts/Quantity"
import type { RenderSpec, SpecClip, SpecSource } from "@reelay/contracts/RenderSpec"
import { type Section, sectionsOf } from "./Sections.ts"

/** Reading a spec. A spec that names what is not in it is a defect of whoever froze it. */
export const sourceOf = (spec: RenderSpec, clip: SpecClip): SpecSource => {
  const source = spec.sources[clip.source]
  if (source === undefined) throw new Error(`a clip names source ${clip.source} of ${spec.sources.length}`)
  return source
}

export const clipOf = (spec: RenderSpec, position: number) => {
  const clip = spec.clips[position]
  if (clip === undefined) throw new Error(`a task names clip ${position} of ${spec.clips.length}`)
  return { clip, media: sourceOf(spec, clip).media }
}

export const sectionOf = (clip: SpecClip, position: number, rate: Rational): Section => {
  const section = sectionsOf(clip, rate)[position]
  if (section === undefined) throw new Error(`a task names section ${position} of a clip that has fewer`)
  return section
}

/** The codec that carries sound in a container. */
export const soundCodec = (format: Format): "aac" | "opus" => (format === "webm" ? "opus" : "aac")
