/** What `ffmpeg -progress` has said last. */
export interface Progress {
  /** Frames written so far. */
  readonly frames: number
  /** Times real time; null while unknown. */
  readonly speed: number | null
  /** Changes whenever anything was done, frames or not (sound, copies). */
  readonly mark: string
}

/** Reads `-progress` output piece by piece: `key=value` lines, each block ended by a `progress=` line. */
export const progressReader = (onBlock: (progress: Progress) => void): ((text: string) => void) => {
  let rest = ""
  let block = new Map<string, string>()
  const number = (key: string) => {
    const value = Number.parseFloat(block.get(key) ?? "")
    return Number.isFinite(value) ? value : null
  }
  const line = (text: string) => {
    const at = text.indexOf("=")
    if (at < 0) return
    const key = text.slice(0, at).trim()
    block.set(key, text.slice(at + 1).trim())
    if (key !== "progress") return
    const speed = number("speed")
    onBlock({
      frames: Math.max(0, Math.trunc(number("frame") ?? 0)),
      speed: speed !== null && speed > 0 ? speed : null,
      mark: `${block.get("frame") ?? ""}/${block.get("out_time_us") ?? ""}/${block.get("total_size") ?? ""}`
    })
    block = new Map()
  }
  return (text) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop() ?? ""
    // A line of that length is not progress: ffmpeg is not to fill our memory.
    if (rest.length > 65_536) rest = ""
    for (const one of lines) line(one)
  }
}
