import { assert, afterAll, beforeAll, describe, it } from "@effect/vitest"
import { execa } from "execa"
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expectedFrames, expectedNumbers } from "./Expected.ts"
import { Farm } from "./Farm.ts"
import { realMedia } from "./RealMedia.ts"
import { decodesCleanly, probe, readBeeps, readNumbered, writeNumbered } from "./Sources.ts"
import { readStoredZip } from "./StoredZip.ts"

const RATE = { num: 30_000, den: 1001 }
const FRAMES = 240
const SEGMENTS = [
  { start: 0.5, end: 1.7 },
  { start: 2.1, end: 7.333 }
]
const CODEC = { mp4: "h264", mov: "h264", webm: "vp9" } as const
const SOUND = { mp4: "aac", mov: "aac", webm: "opus" } as const

const shownBy = (segments: ReadonlyArray<{ readonly start: number; readonly end: number }>) =>
  segments.flatMap((s) => expectedNumbers(s.start, s.end, RATE, FRAMES))

/** Every flash of the picture has its beep within one frame of it, and none is left over. */
const inSync = (flashes: ReadonlyArray<number>, beeps: ReadonlyArray<number>) => {
  const frame = RATE.den / RATE.num
  for (const flash of flashes) {
    const offset = Math.min(...beeps.map((beep) => Math.abs(beep - flash * frame)))
    assert.isBelow(offset, frame, `flash at frame ${flash} has no beep within a frame (${beeps.join(", ")})`)
  }
}

describe("a file in, the right file out", () => {
  let farm: Farm
  let work: string
  let source: string
  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), "reelay-results-"))
    source = join(work, "numbered source.mp4")
    ;[farm] = await Promise.all([Farm.start(), writeNumbered(source, { frames: FRAMES, rate: RATE })])
  }, 240_000)
  afterAll(async () => {
    await farm.stop()
    await rm(work, { recursive: true, force: true })
  }, 120_000)

  const formats = ["mp4", "mov", "webm"] as const
  /** All of them in the long suite. */
  const some = <A>(all: ReadonlyArray<A>, ...short: ReadonlyArray<A>) => (process.env["LONG"] === "1" ? all : short)
  const settings = (format: (typeof formats)[number]) => ({ format, resolution: "source", mode: "fast" })

  it.each(formats)(
    "combined %s: every planned frame, in order, with its sound",
    async (format) => {
      const video = await farm.upload(source)
      assert.strictEqual(video.frames, FRAMES)
      const made = await farm.create({ videoId: video.id, segments: SEGMENTS, settings: settings(format) })
      const expected = shownBy(SEGMENTS)
      assert.strictEqual(made.frames, expected.length)
      const done = await farm.completed(made.id)
      const file = await farm.download(made.id, join(work, `combined.${format}`))
      const output = done.outputs[0]
      assert.strictEqual(done.outputs.length, 1)
      assert.strictEqual(output?.name, `numbered source.source.${format}`)
      assert.strictEqual(output?.frames, expected.length)
      assert.strictEqual(output?.bytes, (await stat(file)).size)
      const read = await readNumbered(file)
      assert.deepStrictEqual(read.numbers, expected)
      inSync(read.flashes, await readBeeps(file))
      const { streams, format: container } = await probe(file)
      assert.deepStrictEqual(
        streams.map((s) => s["codec_name"]),
        [CODEC[format], SOUND[format]]
      )
      assert.strictEqual(streams[0]?.["width"], 320)
      assert.strictEqual(streams[0]?.["height"], 180)
      assert.strictEqual(Number(streams[0]?.["nb_read_packets"]), expected.length)
      assert.closeTo(Number(container["duration"]), (expected.length * RATE.den) / RATE.num, RATE.den / RATE.num)
      assert.strictEqual(await decodesCleanly(file), "")
    },
    240_000
  )

  it.each(some(formats, "mov"))(
    "single %s: the one segment asked for",
    async (format) => {
      const video = await farm.upload(source)
      const segments = SEGMENTS.slice(1)
      const made = await farm.create({ videoId: video.id, segments, delivery: "single", settings: settings(format) })
      await farm.completed(made.id)
      const file = await farm.download(made.id, join(work, `single.${format}`))
      assert.deepStrictEqual((await readNumbered(file)).numbers, shownBy(segments))
      assert.strictEqual(await decodesCleanly(file), "")
    },
    240_000
  )

  it.each(some(formats, "webm"))(
    "clips as %s: a ZIP with a file for each, named in order",
    async (format) => {
      const video = await farm.upload(source)
      const made = await farm.create({
        videoId: video.id,
        segments: SEGMENTS,
        delivery: "clips",
        settings: settings(format)
      })
      const done = await farm.completed(made.id)
      assert.strictEqual(done.outputs[0]?.contentType, "application/zip")
      const entries = await readStoredZip(await farm.download(made.id, join(work, `clips-${format}.zip`)))
      assert.strictEqual(entries.length, SEGMENTS.length)
      for (const [i, entry] of entries.entries()) {
        assert.match(entry.name, new RegExp(`^0${i + 1} .*\\.${format}$`))
        const file = join(work, `entry-${i}.${format}`)
        await writeFile(file, entry.bytes)
        assert.deepStrictEqual((await readNumbered(file)).numbers, shownBy(SEGMENTS.slice(i, i + 1)))
      }
    },
    240_000
  )

  it("720p is 1280x720 however small the source, and says nothing else than asked", async () => {
    const video = await farm.upload(source)
    const made = await farm.create({
      videoId: video.id,
      segments: [{ start: 1, end: 2 }],
      settings: { mode: "fast", quality: "low" }
    })
    await farm.completed(made.id)
    const file = await farm.download(made.id, join(work, "720p.mp4"))
    const { streams } = await probe(file)
    assert.deepStrictEqual([streams[0]?.["width"], streams[0]?.["height"]], [1280, 720])
    assert.deepStrictEqual((await readNumbered(file)).numbers, shownBy([{ start: 1, end: 2 }]))
  }, 240_000)

  it("a project's clips are trimmed, ordered and joined", async () => {
    const video = await farm.upload(source)
    const project = (await farm.call("POST", "/api/projects", { name: "Two: the/best" })).body as { id: string }
    const clip = async (timing: { start: number; end: number } | null) => {
      const answer = await farm.call("POST", `/api/projects/${project.id}/clips`, { videoId: video.id, timing })
      assert.strictEqual(answer.status, 201)
      return (answer.body as { id: string }).id
    }
    const first = await clip({ start: 1, end: 2 })
    const second = await clip({ start: 4, end: 5.5 })
    const order = await farm.call("PUT", `/api/projects/${project.id}/clips/order`, { clipIds: [second, first] })
    assert.strictEqual(order.status, 200)
    const made = await farm.create({
      projectId: project.id,
      settings: { resolution: "source", mode: "fast" }
    })
    const done = await farm.completed(made.id)
    const file = await farm.download(made.id, join(work, "project.mp4"))
    assert.deepStrictEqual(
      (await readNumbered(file)).numbers,
      shownBy([
        { start: 4, end: 5.5 },
        { start: 1, end: 2 }
      ])
    )
    assert.notMatch(done.outputs[0]?.name ?? "/", /[/\\:]/)
  }, 240_000)

  it("a project's crop, dissolve and speeds: the size, the frames and the sound that were asked for", async () => {
    const video = await farm.upload(source)
    const project = (await farm.call("POST", "/api/projects", { name: "edited", aspect: "9:16" })).body as {
      id: string
    }
    const add = async (edits: object) => {
      const answer = await farm.call("POST", `/api/projects/${project.id}/clips`, { videoId: video.id, ...edits })
      assert.strictEqual(answer.status, 201)
    }
    const window = (time: number, x: number) => ({ time, x, y: 0, width: 0.3, height: 1 })
    await add({
      timing: { start: 0, end: 4 },
      crop: { keyframes: [window(0, 0), window(4, 0.7)], interpolation: "smooth" },
      transition: { type: "dissolve", duration: 1 }
    })
    await add({
      timing: { start: 4, end: 8 },
      crop: { keyframes: [window(0, 0.3)] },
      speed: [{ start: 5, end: 7, rate: 0.5 }]
    })
    const made = await farm.create({ projectId: project.id, settings: { resolution: "720p", mode: "fast" } })
    const done = await farm.completed(made.id)
    const rate = video.frameRate
    assert.strictEqual(done.frames, Math.round(4 * rate) + Math.round(6 * rate) - Math.round(rate))
    const file = await farm.download(made.id, join(work, "edited.mp4"))
    const { format, streams } = await probe(file)
    const picture = streams.find((stream) => stream.codec_type === "video")
    assert.deepStrictEqual([picture?.width, picture?.height], [720, 1280])
    assert.closeTo(Number(format.duration), 9, 0.05)
  }, 240_000)

  it("what is drawn over a clip: captions and texts, an image, its name, source beside result", async () => {
    const video = await farm.upload(source)
    const image = join(work, "magenta.png")
    await execa("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", "color=magenta:s=40x40", "-frames:v", "1", image])
    const posted = await fetch(`${farm.url}/api/images`, { method: "POST", body: await readFile(image) })
    assert.strictEqual(posted.status, 201)
    const imageId = ((await posted.json()) as { id: string }).id
    const project = (await farm.call("POST", "/api/projects", { name: "drawn" })).body as { id: string }
    const overlays = [
      {
        type: "captions",
        format: "srt",
        text: "1\n00:00:00,200 --> 00:00:01,800\nGrüße: {\\p1} %{pts} 100 % \u{10fffd}\n"
      },
      { type: "text", text: "Titel", start: 0, end: 1, x: 0.1, y: 0.1, size: 0.1, color: "#ff8800" },
      { type: "highlight", shape: "ellipse", keyframes: [{ time: 0, x: 0.3, y: 0.3, width: 0.4, height: 0.4 }] },
      { type: "image", imageId, start: 0.5, end: 1, x: 0.75, y: 0.25, width: 0.1 }
    ]
    const edits = { videoId: video.id, name: "a 'clip': [v]", timing: { start: 0, end: 2 }, overlays }
    assert.strictEqual((await farm.call("POST", `/api/projects/${project.id}/clips`, edits)).status, 201)
    const made = await Promise.all(
      ["framing", "overlay", "annotate", "before_after"].map((type) =>
        farm.create({ projectId: project.id, type, settings: { resolution: "source", mode: "fast" } })
      )
    )
    const done = await Promise.all(made.map(({ id }) => farm.completed(id)))
    const [plain, ...drawn] = done.map(({ outputs }) => outputs[0])
    for (const output of drawn) {
      assert.strictEqual(output?.frames, plain?.frames)
      assert.notStrictEqual(output?.sha256, plain?.sha256)
    }
    // Nobody gives a private letter a shape; the one that is drawn nowhere is missed nowhere.
    assert.deepStrictEqual(
      done.map(({ warnings }) => warnings.map(({ characters }) => characters)),
      [[], ["\u{10fffd}"], [], ["\u{10fffd}"]]
    )
    const overlaid = await farm.download(made[1]?.id ?? "", join(work, "overlaid.mp4"))
    const { stdout } = await execa(
      "ffmpeg",
      [
        "-v",
        "error",
        "-i",
        overlaid,
        "-vf",
        "crop=4:4:iw*0.79:ih*0.3,scale=1:1",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-"
      ],
      { encoding: "buffer", stripFinalNewline: false }
    )
    const isMagenta = (n: number) => (stdout[3 * n] ?? 0) > 220 && (stdout[3 * n + 1] ?? 0) < 40
    const shown = Array.from({ length: stdout.length / 3 }, (_, n) => n).filter(isMagenta)
    assert.deepStrictEqual(
      shown,
      Array.from({ length: 15 }, (_, n) => 15 + n)
    )
  }, 240_000)

  it("the same request again is a look-up: no frame is encoded twice", async () => {
    const video = await farm.upload(source)
    const request = { videoId: video.id, segments: SEGMENTS, settings: settings("mp4") }
    const first = await farm.completed((await farm.create(request)).id)
    const again = await farm.completed((await farm.create(request)).id)
    assert.notStrictEqual(first.id, again.id)
    assert.strictEqual(again.outputs[0]?.sha256, first.outputs[0]?.sha256)
  }, 240_000)

  const odd: ReadonlyArray<readonly [string, ReadonlyArray<string>, boolean]> = [
    ["without sound", [], false],
    ["turned on its side by a phone", [], true],
    [
      "with an odd size",
      ["-vf", "scale=321:181", "-pix_fmt", "yuv444p", "-c:v", "libx264", "-preset", "ultrafast"],
      true
    ],
    ["in Matroska with open GOPs", ["-c:v", "libx264", "-preset", "ultrafast", "-x264-params", "open-gop=1"], true]
  ]
  it.each(odd)(
    "a source %s",
    async (kind, encode, sound) => {
      const path = join(work, `${kind}.${kind.includes("Matroska") ? "mkv" : "mp4"}`)
      await writeNumbered(path, {
        frames: 90,
        rate: RATE,
        sound,
        upright: kind.includes("side"),
        ...(encode.length === 0 ? {} : { encode })
      })
      const video = await farm.upload(path)
      const made = await farm.create({
        videoId: video.id,
        segments: [{ start: 0.7, end: 2.4 }],
        settings: { resolution: "source", mode: "fast" }
      })
      const done = await farm.completed(made.id)
      const file = await farm.download(made.id, join(work, `${kind}-out.mp4`))
      const { streams } = await probe(file)
      assert.strictEqual(streams.length, sound ? 2 : 1)
      assert.strictEqual(Number(streams[0]?.["nb_read_packets"]), expectedFrames(0.7, 2.4, RATE))
      assert.strictEqual(Number(streams[0]?.["width"]) % 2, 0)
      assert.strictEqual(done.outputs[0]?.width, streams[0]?.["width"])
      assert.strictEqual(await decodesCleanly(file), "")
      if (!kind.includes("side")) {
        assert.deepStrictEqual((await readNumbered(file)).numbers, expectedNumbers(0.7, 2.4, RATE, 90))
      } else {
        assert.isAbove(Number(streams[0]?.["height"]), Number(streams[0]?.["width"]))
      }
    },
    240_000
  )

  it("a film that people made: 20 s of it, to the frame, ready to stream", async () => {
    const video = await farm.upload(await realMedia("wannaworktogether.mp4"))
    assert.isTrue(video.hasAudio)
    const made = await farm.create({
      videoId: video.id,
      segments: [{ start: 31.4, end: 51.4 }],
      settings: { resolution: "source", mode: "fast" }
    })
    const done = await farm.completed(made.id)
    const file = await farm.download(made.id, join(work, "film.mp4"))
    const { streams } = await probe(file)
    assert.strictEqual(Number(streams[0]?.["nb_read_packets"]), expectedFrames(31.4, 51.4, RATE))
    assert.strictEqual(done.frames, expectedFrames(31.4, 51.4, RATE))
    assert.strictEqual(await decodesCleanly(file), "")
  }, 180_000)

  it.each(some(["motion.mov", "balle-jbart.mp4", "retroMars2018.avi"] as const, "motion.mov", "retroMars2018.avi"))(
    "%s as a whole",
    async (name) => {
      const video = await farm.upload(await realMedia(name))
      const made = await farm.create({ videoId: video.id, settings: { resolution: "source", mode: "fast" } })
      const done = await farm.completed(made.id)
      const file = await farm.download(made.id, join(work, `${name}.mp4`))
      const { streams } = await probe(file)
      assert.strictEqual(Number(streams[0]?.["nb_read_packets"]), done.frames)
      assert.strictEqual(streams.length, video.hasAudio ? 2 : 1)
      assert.strictEqual(await decodesCleanly(file), "")
    },
    180_000
  )
})
