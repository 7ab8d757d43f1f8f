import type { FrameIndex, MediaInfo } from "@reelay/contracts/Media"
import { Unavailable, UnsupportedMedia } from "@reelay/contracts/Problem"
import { toNumber } from "@reelay/contracts/Quantity"
import { damageArguments, DamageReading } from "@reelay/render/Damage"
import { fileUrl, mediaInput } from "@reelay/render/Safety"
import { Context, Effect, Layer, Result } from "effect"
import { stat } from "node:fs/promises"
import { dirname } from "node:path"
import * as Facts from "./MediaFacts.ts"
import { MediaTools } from "./MediaTools.ts"
import type { ToolError } from "./MediaTools.ts"
import { frameReader, packetReader } from "./Packets.ts"
import type { Frame } from "./Packets.ts"
import { PacketTable, StreamTally } from "./PacketTable.ts"
import { decodeReport } from "./ProbeReport.ts"
import type { ProbeReport, ProbeStream } from "./ProbeReport.ts"

export interface Examined {
  readonly media: MediaInfo
  readonly index: FrameIndex
}

/** Seconds that each look at a file may take. */
const HEADER_TIMEOUT = 60
const PACKETS_TIMEOUT = 900
const DECODE_TIMEOUT = 1800
const POSTER_TIMEOUT = 60

/** Seconds that are decoded to see how a file ends. Where key frames are further apart, that it was cut off shows in the render. */
const LONGEST_TAIL = 60
/** Packets decoded beyond the first one that could be shown, to see what really comes first. */
const HEAD_PACKETS = 32
/**
 * Picture and sound of fifteen hours at 60 frames a second. The picture's are held in memory while a file is examined,
 * some 60 bytes each with what is reckoned from them.
 */
const MAX_PACKETS = 6_000_000
/** Characters of JSON about a file and its streams, usually some thousand. It is kept until it is whole. */
const MAX_HEADER = 8 * 1024 * 1024

const POSTER_WIDTH = 640

/**
 * Looks at a local file that nobody vouches for. Facts come from all packets of the stream, not from its header, and from
 * the first frames as a decoder gives them. Fails with UnsupportedMedia for whatever is no moving picture that we can read.
 */
export class Ingest extends Context.Service<
  Ingest,
  {
    examine(path: string): Effect.Effect<Examined, UnsupportedMedia | Unavailable>
    /** Writes a small JPEG of a moment near the beginning to `target`. */
    poster(path: string, media: MediaInfo, target: string): Effect.Effect<void, UnsupportedMedia | Unavailable>
  }
>()("@reelay/api/Ingest") {
  static readonly layer = Layer.effect(
    Ingest,
    Effect.gen(function* () {
      const tools = yield* MediaTools
      const probe = (
        path: string,
        timeoutSeconds: number,
        args: ReadonlyArray<string>,
        onText: (text: string) => void,
        maxText?: number
      ) =>
        tools.ffprobe({
          argv: ["-v", "error", ...mediaInput, ...args, "-i", fileUrl(path)],
          reads: [path],
          folder: null,
          timeoutSeconds,
          onText,
          ...(maxText === undefined ? {} : { maxText })
        })

      const header = Effect.fnUntraced(function* (path: string) {
        let json = ""
        const keep = (text: string) => void (json += text)
        yield* probe(path, HEADER_TIMEOUT, ["-show_format", "-show_streams", "-of", "json"], keep, MAX_HEADER)
        return yield* decodeReport(json).pipe(Effect.mapError(() => refusal("This file cannot be read as a video.")))
      })

      /** One reading of the file: the packets of its picture, and of every other stream what they come to. */
      const packets = Effect.fnUntraced(function* (path: string, picture: ProbeStream) {
        const found = new PacketTable()
        const tallies = new Map<number, StreamTally>()
        let count = 0
        const reader = packetReader((stream, packet) => {
          if (++count > MAX_PACKETS) return
          const tally = tallies.get(stream) ?? new StreamTally()
          tallies.set(stream, tally)
          tally.add(packet)
          if (stream === picture.index) found.add(packet)
        })
        const entries = ["-show_entries", "packet=stream_index,pts,duration,pos,flags", "-of", "compact=p=0"]
        const stderr = yield* probe(path, PACKETS_TIMEOUT, entries, reader.push)
        reader.end()
        if (count > MAX_PACKETS) return yield* refusal("The file is too long.")
        // The demuxer of MP4 and MOV says so when samples of its table lie beyond the end of the file.
        if (stderr.includes("partial file")) return yield* refusal(Facts.TRUNCATED)
        return { found, tallies }
      })

      /** Decodes the first `count` packets of a stream; all of it where `count` is null. */
      const decode = Effect.fnUntraced(function* (
        path: string,
        stream: ProbeStream,
        count: number | null,
        onFrame: (frame: Frame) => void
      ) {
        const reader = frameReader(onFrame)
        const entries =
          "frame=best_effort_timestamp,duration,pkt_duration,pkt_pos,key_frame,interlaced_frame,nb_samples"
        const range = count === null ? [] : ["-read_intervals", `%+#${count}`]
        yield* probe(
          path,
          count === null ? DECODE_TIMEOUT : HEADER_TIMEOUT,
          ["-select_streams", String(stream.index), ...range, "-show_entries", entries, "-of", "compact=p=0"],
          reader.push
        )
        reader.end()
      })

      const picture = Effect.fnUntraced(function* (
        path: string,
        report: ProbeReport,
        stream: ProbeStream,
        found: PacketTable,
        tally: StreamTally | undefined
      ) {
        if (tally === undefined) return yield* refusal("The video stream has no frames.")
        const { head, untimed } = tally
        const frames = new PacketTable()
        const keep = untimed ? Facts.frameKeeper(frames) : () => {}
        let firstShown = Infinity
        let interlaced = false
        let timeless = false
        yield* decode(path, stream, untimed ? null : head + HEAD_PACKETS, (frame) => {
          keep(frame)
          timeless ||= frame.pts === null && firstShown === Infinity
          firstShown = Math.min(firstShown, frame.pts ?? Infinity)
          interlaced ||= frame.interlaced
        })
        if (firstShown === Infinity) return yield* refusal("The first frames of the video cannot be decoded.")
        if (timeless) return yield* refusal("The first frames of the video have no times.")
        const packets = untimed ? frames : found
        const broken = Facts.knowsItsPackets(report) ? Infinity : yield* breakOf(path, stream, packets)
        return yield* orRefuse(Facts.pictureOf({ report, stream, packets, firstShown, broken, interlaced }))
      })

      /**
       * Where a file ends that was cut off: a recording that was broken off, a copy that is not whole. Its last picture may
       * be half there, which only a decoder notices. Ticks; Infinity: it ends with a whole one.
       */
      const breakOf = Effect.fnUntraced(function* (path: string, stream: ProbeStream, packets: PacketTable) {
        const { first, from, seconds } = Facts.tailOf(packets, stream)
        if (seconds > LONGEST_TAIL) return Infinity
        const reading = new DamageReading()
        const look = tools.ffprobe({
          argv: damageArguments(path, stream.index, from, null),
          reads: [path],
          folder: null,
          timeoutSeconds: DECODE_TIMEOUT,
          onText: (text) => reading.feed(text)
        })
        // Not every container lets itself be read from the middle (MPEG-PS): then nothing is known of its end.
        yield* Effect.catchIf(
          look,
          ({ reason }) => reason === "failed",
          () => Effect.succeed("")
        )
        return reading.damaged({ first, last: Infinity })[0] ?? Infinity
      })

      /** The first of the sound streams that a decoder understands. */
      const sound = Effect.fnUntraced(function* (
        path: string,
        report: ProbeReport,
        tallies: ReadonlyMap<number, StreamTally>
      ) {
        let silent = true
        for (const stream of Facts.soundStreams(report)) {
          const tally = tallies.get(stream.index)
          if (tally === undefined) continue
          silent = false
          let first: number | null = null
          yield* decode(path, stream, tally.head + HEAD_PACKETS, (frame) => {
            if (frame.samples > 0) first ??= frame.pts
          })
          if (first !== null) return { stream, first, end: Math.max(first, tally.end ?? first) }
        }
        // Dropping it would be a picture without the sound that belongs to it, and nobody would have said so.
        return silent ? null : yield* refusal("The sound of this file cannot be decoded.")
      })

      return Ingest.of({
        examine: Effect.fn("Ingest.examine")(function* (path) {
          const { size } = yield* Effect.tryPromise({
            try: () => stat(path),
            // Footage by reference may go at any time, also while it waits for its turn.
            catch: () => refusal("The file is no longer there.")
          })
          if (size === 0) return yield* refusal("The file is empty.")
          const report = yield* header(path)
          const stream = yield* orRefuse(Facts.pickVideo(report))
          const { found, tallies } = yield* packets(path, stream)
          const promised = Facts.promised(report)
          if (promised !== null && !Facts.isWhole(Facts.endOf(report, tallies), promised)) {
            return yield* refusal(Facts.TRUNCATED)
          }
          const [{ index, picture: facts }, heard] = yield* Effect.all(
            [picture(path, report, stream, found, tallies.get(stream.index)), sound(path, report, tallies)],
            { concurrency: 2 }
          )
          const soundInfo = heard === null ? null : Facts.soundOf(heard, facts)
          return { media: Facts.mediaOf(report, size, facts, soundInfo), index }
        }, translated),

        poster: Effect.fn("Ingest.poster")(function* (path, media, target) {
          const { picture } = media
          const zero = picture.zeroPts * toNumber(picture.timeBase) - media.fileStart / 1e6
          const moment = zero + Math.min(picture.duration / 1e6 / 10, 5)
          const width = Math.min(POSTER_WIDTH, picture.width)
          const even = (size: number) => Math.max(2, 2 * Math.round(size / 2))
          const scale = `scale=${even(width)}:${even((picture.height * width) / picture.width)},setsar=1`
          const shoot = (seek: ReadonlyArray<string>) =>
            tools
              .ffmpeg({
                argv: [
                  "-v",
                  "error",
                  "-nostdin",
                  "-y",
                  ...mediaInput,
                  ...seek,
                  "-i",
                  fileUrl(path),
                  "-map",
                  `0:${picture.streamIndex}`,
                  "-frames:v",
                  "1",
                  "-vf",
                  scale,
                  "-pix_fmt",
                  "yuvj420p",
                  "-c:v",
                  "mjpeg",
                  "-q:v",
                  "4",
                  "-f",
                  "image2",
                  "-update",
                  "1",
                  target
                ],
                reads: [path],
                folder: dirname(target),
                timeoutSeconds: POSTER_TIMEOUT
              })
              .pipe(
                Effect.andThen(
                  Effect.promise(() =>
                    stat(target).then(
                      (s) => s.size > 0,
                      () => false
                    )
                  )
                )
              )
          const there = yield* shoot(["-ss", moment.toFixed(6)])
          if (!there && !(yield* shoot([]))) return yield* refusal("The video cannot be decoded.")
        }, translated)
      })
    })
  )
}

const refusal = (detail: string) => new UnsupportedMedia({ detail })

const orRefuse = <A>(result: Facts.OrRefusal<A>) => Effect.fromResult(Result.mapError(result, refusal))

/** What a tool could not do, said for the person who brought the file. */
const translated = <A>(effect: Effect.Effect<A, UnsupportedMedia | ToolError>) =>
  Effect.catchTag(effect, "ToolError", (error) =>
    // A reader that throws may be our mistake.
    (error.reason === "unread" ? Effect.logError : Effect.logInfo)("a media tool refused a file").pipe(
      Effect.annotateLogs({ reason: error.reason, stderr: error.stderr }),
      Effect.andThen(Effect.fail(verdictOn(error)))
    )
  )

const verdictOn = (error: ToolError): UnsupportedMedia | Unavailable => {
  switch (error.reason) {
    case "missing":
      return new Unavailable({ detail: "The tools that read media are not there.", missing: ["ffmpeg"] })
    case "killed":
      return new Unavailable({ detail: "Reading this file was broken off: try again a little later." })
    case "timeout":
      return refusal("Reading this file took too long.")
    case "too_much":
      return refusal("There is too much in this file to be read as a video.")
    case "memory":
      return refusal("Reading this file takes more memory than one file is given.")
    case "unread":
    case "failed":
      return refusal("This file cannot be read as a video.")
  }
}
