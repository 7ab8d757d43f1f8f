/**
 * ffprobe's `-of compact=p=0` lines, one a packet or frame, parsed as they come: a day of video is millions of them, and
 * none is kept as text. Pure but for its own state.
 */
export interface Packet {
  /** Ticks of the stream's time base; null where the container does not say. */
  readonly pts: number | null
  /** Ticks; 0 where unknown. */
  readonly duration: number
  /** Byte position, −1 where unknown. */
  readonly position: number
  readonly key: boolean
  /** Decoded but not shown: an edit list cuts it off. */
  readonly discard: boolean
  readonly corrupt: boolean
}

export interface LineReader {
  /** Feeds a piece of text, of any length, cut anywhere. */
  readonly push: (text: string) => void
  readonly end: () => void
}

/** Calls `onLine` for each line that is not empty. */
const lines = (onLine: (line: string) => void): LineReader => {
  let rest = ""
  return {
    push: (text) => {
      const pieces = (rest + text).split("\n")
      rest = pieces.pop() ?? ""
      for (const piece of pieces) if (piece !== "") onLine(piece)
    },
    end: () => {
      if (rest !== "") onLine(rest)
      rest = ""
    }
  }
}

/** The fields of a line `a=1|b=2`. */
const fields = (line: string): ReadonlyMap<string, string> => {
  const found = new Map<string, string>()
  for (const piece of line.split("|")) {
    const at = piece.indexOf("=")
    if (at > 0) found.set(piece.slice(0, at), piece.slice(at + 1).trim())
  }
  return found
}

const integer = (text: string | undefined): number | null => {
  if (text === undefined || text === "" || text === "N/A") return null
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : null
}

/** `packet=stream_index,pts,duration,pos,flags`. Lines of side data, which have no stream, are passed over. */
export const packetReader = (onPacket: (stream: number, packet: Packet) => void): LineReader =>
  lines((line) => {
    const found = fields(line)
    const stream = integer(found.get("stream_index"))
    if (stream === null) return
    const flags = found.get("flags") ?? ""
    onPacket(stream, {
      pts: integer(found.get("pts")),
      duration: Math.max(0, integer(found.get("duration")) ?? 0),
      position: integer(found.get("pos")) ?? -1,
      key: flags.includes("K"),
      discard: flags.includes("D"),
      corrupt: flags.includes("C")
    })
  })

export interface Frame {
  readonly pts: number | null
  readonly duration: number
  readonly position: number
  readonly key: boolean
  readonly interlaced: boolean
  /** Of sound. */
  readonly samples: number
}

/** Decoded frames: `frame=best_effort_timestamp,duration,pkt_duration,pkt_pos,key_frame,interlaced_frame,nb_samples`. */
export const frameReader = (onFrame: (frame: Frame) => void): LineReader =>
  lines((line) => {
    const found = fields(line)
    if (!found.has("key_frame")) return
    onFrame({
      pts: integer(found.get("best_effort_timestamp")),
      duration: Math.max(0, integer(found.get("duration")) ?? integer(found.get("pkt_duration")) ?? 0),
      position: integer(found.get("pkt_pos")) ?? -1,
      key: found.get("key_frame") === "1",
      interlaced: found.get("interlaced_frame") === "1",
      samples: integer(found.get("nb_samples")) ?? 0
    })
  })
