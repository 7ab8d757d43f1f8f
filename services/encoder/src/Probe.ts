import type { Family, VideoCodec } from "@reelay/contracts/Export"
import { Build } from "@reelay/contracts/Plan"
import { LADDER } from "@reelay/render/Encoders"
import { createHash } from "node:crypto"

/**
 * What is asked of ffmpeg to learn what this machine can do, and how its answers are read. Pure. A capability is
 * proven by a real encode: `-encoders` lists what was compiled in, with or without the hardware.
 */
export const CODECS: ReadonlyArray<VideoCodec> = ["h264", "hevc", "vp9", "av1"]

/** The families to try, best first. Software is the last rung unless the operator says otherwise. */
export const ladderOf = (families: ReadonlyArray<Family> | null, forceSoftware: boolean): ReadonlyArray<Family> =>
  forceSoftware ? ["software"] : families === null ? LADDER : [...new Set(families)]

/** Names from `ffmpeg -encoders`. */
export const listedEncoders = (text: string): ReadonlySet<string> => {
  const names = new Set<string>()
  for (const line of text.split("\n")) {
    const name = /^ [VAS][.A-Z]{5} (\S+)/.exec(line)?.[1]
    if (name !== undefined && name !== "=") names.add(name)
  }
  return names
}

/** Names from `ffmpeg -filters`. */
export const listedFilters = (text: string): ReadonlySet<string> =>
  new Set([...text.matchAll(/^ [T.][S.][C.] (\S+) +\S+->\S+/gm)].flatMap(([, name]) => name ?? []))

/** Says that no codec of the family can work, so that the others need not be tried. */
export const driverIsMissing = (stderr: string): boolean =>
  /Cannot load |DLL \S+ failed to open|No (?:NVENC )?capable devices|MFX session|minimum required Nvidia driver|Device creation failed/.test(
    stderr
  )

/** The first line that explains something, without ffmpeg's addresses. */
export const reasonIn = (stderr: string, otherwise: string): string => {
  for (const line of stderr.split("\n")) {
    const text = line.replace(/^\[[^\]]*\]\s*/, "").trim()
    if (text !== "" && !/^(?:x265|Svt)\s?\[/.test(text)) return text.slice(0, 200)
  }
  return otherwise
}

/** `fc-list`: every font that captions may be drawn with. */
export const FONTS_QUERY = [":", "family", "style", "fontversion"] as const

/**
 * Two builds never share a file: the version, its configuration and its libraries, the processor's kind, and the fonts
 * that are there (in any order), for they decide what text looks like.
 */
export const buildOf = (version: string, arch: string, fonts: string): Build => {
  const inOrder = [...new Set(fonts.trim().split("\n"))].toSorted().join("\n")
  return Build.make(createHash("sha256").update(`${arch}\n${version.trim()}\n${inOrder}`).digest("hex").slice(0, 12))
}
