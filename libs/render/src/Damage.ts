import type { Plan, Shown, Work } from "@reelay/contracts/Plan"
import { argv } from "./Argv.ts"
import { frameGrid, latestAt } from "./FrameGrid.ts"
import { fileUrl, mediaInput } from "./Safety.ts"
import { sourceRate } from "./Sections.ts"
import { clipOf, sectionOf } from "./Spec.ts"

/**
 * Where a source does not decode as it should. ffmpeg goes on after damage: it ends well, with the right number of frames,
 * some of which show rubbish. It only grumbles, without saying of what; and it grumbles of healthy files too, when it has to
 * begin in the middle of one. So wherever it did, ffprobe is asked which packet each complaint is about.
 */

/** What filters say, and a decoder that begins within open groups of pictures or behind pictures that were never sent. */
const HARMLESS =
  /^\[Parsed_|mmco: unref short failure|reference picture missing|Missing reference picture|co located POCs unavailable|Could not find ref with POC|number of reference frames|illegal short term buffer state/

/** Errors are listened to, and warnings, each line with its level: what was lost on the way to a decoder is no error to it. */
export const HEARD = argv`-v repeat+level+warning`
const WARNING = /\[warning\]/
const LOST = /corrupt (?:input packet|decoded frame)/

/** Whether something may be wrong with what was decoded, from what ffmpeg said of it. */
export const mayBeDamaged = (said: string): boolean =>
  said.split("\n").some((line) => line.trim() !== "" && (WARNING.test(line) ? LOST.test(line) : !HARMLESS.test(line)))

/** Some pictures end too early without an error: that the rest was made up is only mentioned. */
const CONCEALED = /concealing \d+ DC/
/** ffmpeg's numbers for how much is said. */
const [ERROR, INFO] = [16, 32]

/** ffprobe: all packets of a stream between two instants (seconds on the file's clock), and what decoding each one says. */
export const damageArguments = (
  path: string,
  streamIndex: number,
  from: number | null,
  to: number | null
): ReadonlyArray<string> => {
  const second = (at: number | null) => at?.toFixed(6) ?? ""
  const range = from === null && to === null ? [] : argv`-read_intervals ${`${second(from)}%${second(to)}`}`
  // One thread: then a complaint comes right after the packet that caused it.
  return argv`
    -v repeat+warning ${mediaInput} -threads 1 -select_streams ${streamIndex} ${range} -show_packets -show_frames -show_log ${INFO}
    -show_entries packet=pts,dts,flags:frame=key_frame:log=level,message -of compact -i ${fileUrl(path)}`
}

/** What a demuxer says of a packet that came without all that was sent of it (before 6.1 its flags do not say so). */
const INCOMPLETE = /Packet corrupt \(stream = (\d+), dts = (-?\d+)\)/g
/** It goes by counters. Where so many of a stretch do not fit, nobody counted. */
const MANY = 32

/** A packet of the stream; times in ticks. */
interface Packet {
  readonly pts: number
  readonly dts: number
  readonly key: boolean
  damaged: boolean
}

/** Folds what `damageArguments` makes ffprobe say, in whatever pieces it comes. */
export class DamageReading {
  #rest = ""
  readonly #packets: Array<Packet> = []
  /** Packets since the last frame that was shown: what is said next is about them. */
  #since: Array<Packet> = []
  #named: ReadonlyArray<Packet> = []
  /** Decoding times of packets that came incomplete. */
  readonly #incomplete = new Set<number>()

  feed(text: string): void {
    const lines = (this.#rest + text).split("\n")
    this.#rest = lines.pop() ?? ""
    for (const line of lines) this.#line(line)
  }

  /** What it says on stderr meanwhile. */
  hear(said: string, streamIndex: number): void {
    for (const [, stream, dts] of said.matchAll(INCOMPLETE)) {
      if (Number(stream) === streamIndex) this.#incomplete.add(Number(dts))
    }
  }

  /**
   * Once all text has been fed: times (ticks, ascending) of packets that do not decode, or that lean on such a one. `reads`
   * says which of them are wanted: what comes before the last key frame at or before the first of these does not count.
   */
  damaged(reads: { readonly first: number; readonly last: number }): ReadonlyArray<number> {
    this.#line(this.#rest)
    this.#rest = ""
    if (this.#incomplete.size < MANY) {
      for (const [i, packet] of this.#packets.entries()) {
        const isNamed = this.#incomplete.delete(packet.dts)
        // Before a key frame it may as well be whole: two files were put one behind the other.
        if (isNamed && this.#packets[i + 1]?.key !== true) packet.damaged = true
      }
    }
    const begins = this.#packets.findLast(({ key, pts }) => key && pts <= reads.first)?.pts ?? -Infinity
    return this.#packets
      .filter(({ damaged, pts }) => damaged && pts >= begins && pts <= reads.last)
      .map(({ pts }) => pts)
      .toSorted((a, b) => a - b)
  }

  #line(line: string): void {
    const kind = line.slice(0, line.indexOf("|"))
    if (kind === "packet") this.#packet(line)
    if (kind === "frame") {
      this.#named = this.#since
      this.#since = []
    }
    // What is said of a frame stands in its own line, and in those after it.
    const [, level, said = ""] = /(?:^|\|)log\|level=(\d+)\|message=(.*)/.exec(line) ?? []
    const isDamage = level !== undefined && (Number(level) <= ERROR ? mayBeDamaged(said) : CONCEALED.test(said))
    if (isDamage) for (const packet of this.#named) packet.damaged = true
  }

  #packet(line: string): void {
    const field = (name: string) => new RegExp(`\\|${name}=([^|]*)`).exec(line)?.[1] ?? ""
    const [pts, dts] = [Number(field("pts")), Number(field("dts"))]
    const time = Number.isNaN(pts) ? dts : pts
    if (Number.isNaN(time)) return
    const flags = field("flags")
    if (flags.includes("C")) this.#incomplete.add(dts)
    const packet = { pts: time, dts, key: flags.startsWith("K"), damaged: false }
    this.#packets.push(packet)
    this.#since.push(packet)
  }
}

/** What there is to ask of a source once something may be wrong with it. */
export interface Examination {
  /** Arguments of ffprobe. */
  readonly argv: ReadonlyArray<string>
  readonly reading: DamageReading
  /** Once it has been read, from what it said on stderr, too: what to tell the person whose source it is, null when all is well. */
  readonly verdict: (said: string) => string | null
}

/** Beyond the last frame that is wanted: decoders take packets in another order. Seconds. */
const BEYOND = 1

/** One for every stretch of a source that a task shows. `source`: the local path of `spec.sources[i]`. */
export const examinations = (plan: Plan, work: Work, source: (index: number) => string): ReadonlyArray<Examination> =>
  shownIn(work).map((shown) => examination(plan, shown, source))

const shownIn = (work: Work): ReadonlyArray<Shown> => {
  switch (work._tag) {
    case "chunk":
      return [work]
    case "dissolve":
      return [work.first, work.second]
    case "pass":
      return work.parts.flatMap((part) => shownIn(part.work))
    default:
      return []
  }
}

const examination = ({ spec }: Plan, shown: Shown, source: (index: number) => string): Examination => {
  const { clip, media } = clipOf(spec, shown.clip)
  const { streamIndex, timeBase, zeroPts } = media.picture
  const section = sectionOf(clip, shown.section, spec.target.frameRate)
  const grid = frameGrid(timeBase, zeroPts, section.start, sourceRate(section, spec.target.frameRate))
  const [first, last] = [latestAt(grid, shown.from), latestAt(grid, shown.to - 1)]
  const seconds = (ticks: number) => (ticks * timeBase.num) / timeBase.den
  const reading = new DamageReading()
  const begin = shown.seek === null ? null : (shown.seek + media.fileStart) / 1e6
  return {
    argv: damageArguments(source(clip.source), streamIndex, begin, seconds(last) + BEYOND),
    reading,
    verdict: (said) => {
      reading.hear(said, streamIndex)
      const [at] = reading.damaged({ first, last })
      return at === undefined
        ? null
        : `The source video of "${clip.name}" is damaged at ${seconds(at - zeroPts).toFixed(1)} s: cut that part out.`
    }
  }
}
