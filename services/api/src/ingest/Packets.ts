/**
 * ffprobe's `-of compact=p=0` lines, one a packet or frame, parsed as they come: a day of video is millions of them, and
 * none is kept as text or as an object. Pure but for its own state.
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

/** Reads the value of `name` in lines `a=1|b=2`; null where there is none. */
const field = (name: string) => {
  const [first, later] = [`${name}=`, `|${name}=`]
  return (line: string): string | null => {
    const before = line.startsWith(first) ? 0 : line.indexOf(later) + 1
    if (before === 0 && !line.startsWith(first)) return null
    const at = before + first.length
    const end = line.indexOf("|", at)
    return line.slice(at, end === -1 ? line.length : end)
  }
}

const integer = (text: string | null): number | null => {
  if (text === null || text === "" || text === "N/A") return null
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : null
}

const streamIndex = field("stream_index")
const pts = field("pts")
const duration = field("duration")
const position = field("pos")
const flags = field("flags")

/** `packet=stream_index,pts,duration,pos,flags`. Lines of side data, which have no stream, are passed over. */
export const packetReader = (onPacket: (stream: number, packet: Packet) => void): LineReader =>
  lines((line) => {
    const stream = integer(streamIndex(line))
    if (stream === null) return
    const marks = flags(line) ?? ""
    onPacket(stream, {
      pts: integer(pts(line)),
      duration: Math.max(0, integer(duration(line)) ?? 0),
      position: integer(position(line)) ?? -1,
      key: marks.includes("K"),
      discard: marks.includes("D")
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

const keyFrame = field("key_frame")
const bestTime = field("best_effort_timestamp")
const packetDuration = field("pkt_duration")
const packetPosition = field("pkt_pos")
const interlaced = field("interlaced_frame")
const samples = field("nb_samples")

/** Decoded frames: `frame=best_effort_timestamp,duration,pkt_duration,pkt_pos,key_frame,interlaced_frame,nb_samples`. */
export const frameReader = (onFrame: (frame: Frame) => void): LineReader =>
  lines((line) => {
    const key = keyFrame(line)
    if (key === null) return
    onFrame({
      pts: integer(bestTime(line)),
      duration: Math.max(0, integer(duration(line)) ?? integer(packetDuration(line)) ?? 0),
      position: integer(packetPosition(line)) ?? -1,
      key: key === "1",
      interlaced: interlaced(line) === "1",
      samples: integer(samples(line)) ?? 0
    })
  })
