import type { Format, Resolution } from "@reelay/contracts/Export"

/**
 * File names that Windows, macOS and Linux all take, made of what people call their things. Letters of every script
 * stay; what some file system refuses, or what would deceive a reader (control and direction characters), goes.
 */

/** UTF-8 bytes of a name without what is appended to it: file systems stop at 255 in all. */
const MAX_BYTES = 180
const FORBIDDEN = /[<>:"/\\|?*]/gu
// Controls, zero-width and direction marks, unassigned and private code points; emoji's joiner (U+200D) stays.
const INVISIBLE = /(?!\u200d)[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu
const RESERVED = /^(con|prn|aux|nul|clock\$|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)/iu
const MEDIA_EXTENSION = /\.(mp4|m4v|mov|mkv|webm|avi|m?ts|m2ts|mpe?g|wmv|flv|3gp|ogv|mxf|qt|vob)$/iu

const graphemes = new Intl.Segmenter("und", { granularity: "grapheme" })
const bytes = (text: string): number => new TextEncoder().encode(text).length

/** At most `limit` bytes of UTF-8, never cutting through what a reader sees as one character. */
const shortened = (text: string, limit: number): string => {
  if (bytes(text) <= limit) return text
  let kept = ""
  let size = 0
  for (const { segment } of graphemes.segment(text)) {
    size += bytes(segment)
    if (size > limit) break
    kept += segment
  }
  return kept
}

/** Any text as one path segment without extension; `fallback` when nothing of it can stay. */
export const safeStem = (text: string, fallback = "video"): string => {
  const plain = text
    .toWellFormed()
    .normalize("NFC")
    .replace(INVISIBLE, " ")
    .replace(FORBIDDEN, "-")
    .replace(/\s+/gu, " ")
  // Leading dots hide files, trailing dots and spaces vanish on Windows, a leading dash looks like an option.
  const trimmed = shortened(plain.replace(/^[\s.-]+/u, ""), MAX_BYTES).replace(/[\s.]+$/u, "")
  if (trimmed === "" || trimmed === "\ufffd") return fallback
  return RESERVED.test(trimmed) ? `_${trimmed}` : trimmed
}

/** A video is often named as its file was: the output has an extension of its own. */
const withoutExtension = (name: string): string => name.replace(MEDIA_EXTENSION, "")

/** `RenderSpec.name`: `<project or video>.<resolution>`. */
export const outputStem = (name: string, resolution: Resolution): string =>
  `${safeStem(withoutExtension(name))}.${resolution}`

export const outputName = (stem: string, extension: Format | "zip"): string => `${stem}.${extension}`

/** Name of the `position`-th clip (from 0) of `count` within a ZIP: `NN <clip>.<ext>`, unique by its number. */
export const entryName = (position: number, count: number, clip: string, format: Format): string => {
  const number = String(position + 1).padStart(Math.max(2, String(count).length), "0")
  return `${number} ${safeStem(withoutExtension(clip), "clip")}.${format}`
}

const CONTENT_TYPES = { mp4: "video/mp4", mov: "video/quicktime", webm: "video/webm", zip: "application/zip" } as const
export const contentTypeOf = (extension: Format | "zip"): string => CONTENT_TYPES[extension]
