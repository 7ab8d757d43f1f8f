import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, ManagedRuntime, References, Result } from "effect"
import { execa } from "execa"
import { readFile, stat, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import type { Server } from "node:net"
import { Ingest } from "../src/ingest/Ingest.ts"
import { MediaTools } from "../src/ingest/MediaTools.ts"
import { TinyClips } from "./TinyClips.ts"

const quiet = Layer.succeed(References.MinimumLogLevel, "None")
const layer = Ingest.layer.pipe(Layer.provide(MediaTools.layer), Layer.merge(quiet))
const runtime = ManagedRuntime.make(layer)
const examine = (path: string) => runtime.runPromise(Effect.result(Ingest.use((ingest) => ingest.examine(path))))

const facts = async (path: string) => {
  const examined = await examine(path)
  if (Result.isFailure(examined)) assert.fail(`refused: ${String(examined.failure)}`)
  return examined.success
}

/** Presentation times (in the stream's ticks) that ffmpeg's own decoder hands on, one a frame. */
const shownByFfmpeg = async (path: string, ticksPerSecond: number): Promise<ReadonlyArray<number>> => {
  const { stdout } = await execa("ffmpeg", [
    "-v",
    "quiet",
    "-copyts",
    "-i",
    path,
    "-map",
    "0:v:0",
    "-vf",
    `settb=1/${ticksPerSecond}`,
    "-fps_mode",
    "passthrough",
    "-enc_time_base",
    `1:${ticksPerSecond}`,
    "-f",
    "framemd5",
    "-"
  ])
  return stdout
    .split("\n")
    .flatMap((line) => /^0, +-?\d+, +(-?\d+)/.exec(line)?.[1] ?? [])
    .map(Number)
}

const about = (got: number, wanted: number, tolerance: number) =>
  assert.isAtMost(Math.abs(got - wanted), tolerance, `${got} is not ${wanted}`)

/** An MP4 with its index last, in whose first picture a Dolby Vision configuration (its first bytes) is put. */
const withDolbyVision = (file: Buffer, configuration: ReadonlyArray<number>): Buffer => {
  const box = Buffer.alloc(8 + 24)
  box.writeUInt32BE(box.length, 0)
  box.write("dvcC", 4)
  box.set(configuration, 8)
  let at = 0
  const around = ["moov", "trak", "mdia", "minf", "stbl", "stsd", "hvc1"].map((type) => {
    at = file.indexOf(type, at === 0 ? file.lastIndexOf("moov") : at)
    return at - 4
  })
  const entry = around.at(-1) ?? 0
  const end = entry + file.readUInt32BE(entry)
  const result = Buffer.concat([file.subarray(0, end), box, file.subarray(end)])
  for (const start of around) result.writeUInt32BE(file.readUInt32BE(start) + box.length, start)
  return result
}

describe("Ingest", () => {
  let clips: TinyClips
  beforeAll(async () => {
    clips = await TinyClips.make()
  })
  afterAll(async () => {
    await runtime.dispose()
    await clips.remove()
  })

  /** What the index says is what a decoder shows. */
  const indexIsTrue = async (path: string) => {
    const examined = await facts(path)
    const {
      index,
      media: { picture }
    } = examined
    assert.strictEqual(picture.timeBase.num, 1)
    assert.deepStrictEqual(index.pts, await shownByFfmpeg(path, picture.timeBase.den))
    assert.strictEqual(index.pts.length, picture.frames)
    assert.strictEqual(index.pts[0], picture.zeroPts)
    assert.strictEqual(index.keys.length, index.keyBytes.length)
    return examined
  }

  it("a plain MP4 with sound", async () => {
    const path = await clips.plain("plain.mp4", { rate: "30000/1001", seconds: 3, args: ["-bf", "2"] })
    const { index, media } = await indexIsTrue(path)
    assert.strictEqual(media.bytes, (await stat(path)).size)
    assert.include(media.container, "mp4")
    assert.deepStrictEqual(media.picture.frameRate, { num: 30_000, den: 1001 })
    assert.strictEqual(media.picture.codec, "h264")
    assert.strictEqual(media.picture.pixelFormat, "yuv420p")
    assert.strictEqual(media.picture.rotation, 0)
    assert.deepStrictEqual([media.picture.width, media.picture.height], [320, 180])
    assert.isFalse(media.picture.variableFrameRate)
    assert.isFalse(media.picture.interlaced)
    about(media.picture.duration, 3_003_000, 40_000)
    about(media.picture.longestGop, 834_167, 10)
    assert.deepStrictEqual(index.keys, [0, 25, 50, 75])
    assert.isTrue(index.keyBytes.every((position) => position > 0 && position < media.bytes))
    assert.isNotNull(media.sound)
    assert.strictEqual(media.sound?.codec, "aac")
    assert.strictEqual(media.sound?.streamIndex, 1)
    about(media.sound?.offset ?? 1e9, 0, 1000)
    about(media.sound?.duration ?? 0, 3_000_000, 50_000)
  })

  it("without sound, and with sound first", async () => {
    assert.isNull((await indexIsTrue(await clips.plain("silent.mp4", { silent: true }))).media.sound)
    const swapped = await clips.ffmpeg(
      "swapped.mov",
      "-i",
      await clips.plain("ab.mp4"),
      "-map",
      "0:a",
      "-map",
      "0:v",
      "-c",
      "copy"
    )
    const { media } = await facts(swapped)
    assert.strictEqual(media.picture.streamIndex, 1)
    assert.strictEqual(media.sound?.streamIndex, 0)
  })

  const firstFrame = async (path: string, before: ReadonlyArray<string>, after: ReadonlyArray<string>) => {
    const args = ["-v", "error", ...before, "-i", path, ...after, "-an", "-frames:v", "1", "-f", "framemd5", "-"]
    return (await execa("ffmpeg", args)).stdout.split("\n").at(-1)
  }

  it.each(["90", "180", "270"])("turned (tag %s): the turn that players make", async (tag) => {
    const upright = await clips.plain("upright.mp4", { seconds: 1 })
    const turned = await clips.ffmpeg(
      `turned${tag}.mp4`,
      "-i",
      upright,
      "-c",
      "copy",
      "-metadata:s:v:0",
      `rotate=${tag}`
    )
    const {
      media: { picture }
    } = await facts(turned)
    const clockwise = { 0: "null", 90: "transpose=clock", 180: "hflip,vflip", 270: "transpose=cclock" }[
      picture.rotation
    ]
    assert.strictEqual(
      await firstFrame(turned, ["-noautorotate"], ["-vf", clockwise]),
      await firstFrame(turned, [], [])
    )
    assert.deepStrictEqual([picture.codedWidth, picture.codedHeight], [320, 180])
    assert.deepStrictEqual([picture.width, picture.height], tag === "180" ? [320, 180] : [180, 320])
  })

  it("pixels that are not square", async () => {
    const {
      media: { picture }
    } = await facts(await clips.plain("pal.mp4", { size: "180x144", args: ["-aspect", "16:9"] }))
    assert.deepStrictEqual(picture.sampleAspect, { num: 64, den: 45 })
    assert.deepStrictEqual([picture.codedWidth, picture.width, picture.height], [180, 256, 144])
  })

  it("odd sizes", async () => {
    const path = await clips.ffmpeg(
      "odd.mp4",
      "-f",
      "lavfi",
      "-i",
      "testsrc2=s=320x180:d=1",
      "-vf",
      "format=yuv444p,scale=161:91,setsar=1",
      "-c:v",
      "libx264"
    )
    const {
      media: { picture }
    } = await indexIsTrue(path)
    assert.deepStrictEqual([picture.width, picture.height], [161, 91])
  })

  it("a variable rate: jitter and a hole", async () => {
    const path = await clips.plain("variable.mp4", {
      rate: "30",
      seconds: 4,
      args: [
        "-vf",
        "setpts='PTS+(random(1)*0.4)*(1/30)/TB+gt(N,60)*2/TB'",
        "-fps_mode",
        "vfr",
        "-video_track_timescale",
        "90000"
      ]
    })
    const {
      index,
      media: { picture }
    } = await indexIsTrue(path)
    assert.isTrue(picture.variableFrameRate)
    const longest = Math.max(...index.pts.slice(1).map((at, i) => at - (index.pts[i] ?? 0)))
    assert.isAtLeast(longest, 2 * 90_000)
    about(picture.frameRate.num / picture.frameRate.den, picture.frames / 6, 0.5)
  })

  it("a coarse time base is no variable rate", async () => {
    const path = await clips.plain("coarse.mkv", { rate: "30000/1001", seconds: 2 })
    const {
      media: { picture }
    } = await indexIsTrue(path)
    assert.deepStrictEqual(picture.timeBase, { num: 1, den: 1000 })
    assert.deepStrictEqual(picture.frameRate, { num: 30_000, den: 1001 })
    assert.isFalse(picture.variableFrameRate)
  })

  it("a late start, with sound that starts earlier", async () => {
    const source = await clips.plain("source.mp4")
    const path = await clips.ffmpeg(
      "late.ts",
      "-itsoffset",
      "1.4",
      "-i",
      source,
      "-i",
      source,
      "-map",
      "0:v",
      "-map",
      "1:a",
      "-c",
      "copy"
    )
    const { media } = await indexIsTrue(path)
    assert.isAbove(media.picture.zeroPts, 90_000)
    about(media.sound?.offset ?? 0, -1_400_000, 30_000)
    assert.isAbove(media.fileStart, 0)
  })

  it("an edit list that cuts into a group of pictures: what it hides is not counted", async () => {
    const source = await clips.plain("whole.mp4", { rate: "30", seconds: 3, args: ["-bf", "2"] })
    const path = await clips.ffmpeg("cut.mp4", "-ss", "0.7", "-i", source, "-c", "copy")
    const { index, media } = await indexIsTrue(path)
    assert.strictEqual(media.picture.frames, 69)
    assert.isAbove(index.keys[0] ?? 0, 0)
  })

  it("open groups of pictures, and a stream that begins in the middle of one", async () => {
    const path = await clips.plain("open.ts", {
      rate: "30",
      seconds: 3,
      silent: true,
      args: ["-x264-params", "open-gop=1:keyint=20:bframes=3", "-preset", "fast"]
    })
    await indexIsTrue(path)
    const bytes = await readFile(path)
    const cut = clips.path("opencut.ts")
    await writeFile(cut, bytes.subarray(188 * Math.floor(bytes.length / 188 / 3)))
    const { media } = await indexIsTrue(cut)
    assert.isBelow(media.picture.frames, 80)
  })

  it("packets without times: what a decoder makes of them counts", async () => {
    const path = await clips.ffmpeg(
      "untimed.avi",
      "-f",
      "lavfi",
      "-i",
      "testsrc2=s=320x180:r=25:d=2",
      "-c:v",
      "mpeg4",
      "-bf",
      "2"
    )
    const {
      media: { picture }
    } = await facts(path)
    assert.strictEqual(picture.frames, 50)
    assert.deepStrictEqual(picture.frameRate, { num: 25, den: 1 })
  })

  it("interlaced footage says so", async () => {
    const path = await clips.plain("interlaced.mp4", { args: ["-flags", "+ildct+ilme", "-x264opts", "tff=1"] })
    assert.isTrue((await facts(path)).media.picture.interlaced)
  })

  it("WebM", async () => {
    const path = await clips.ffmpeg(
      "small.webm",
      "-f",
      "lavfi",
      "-i",
      "testsrc2=s=160x90:r=25:d=1",
      "-f",
      "lavfi",
      "-i",
      "sine=d=1",
      "-c:v",
      "libvpx-vp9",
      "-cpu-used",
      "8",
      "-deadline",
      "realtime",
      "-c:a",
      "libopus"
    )
    const { media } = await indexIsTrue(path)
    assert.strictEqual(media.picture.codec, "vp9")
    assert.strictEqual(media.sound?.codec, "opus")
  })

  it("a poster is a small JPEG of the upright picture", async () => {
    const upright = await clips.plain("forposter.mp4", { size: "1280x720", seconds: 1 })
    const turned = await clips.ffmpeg("posterturned.mp4", "-i", upright, "-c", "copy", "-metadata:s:v:0", "rotate=90")
    const { media } = await facts(turned)
    const target = clips.path("poster.jpg")
    await runtime.runPromise(Ingest.use((ingest) => ingest.poster(turned, media, target)))
    const { stdout } = await execa("ffprobe", [
      "-v",
      "error",
      "-show_entries",
      "stream=codec_name,width,height",
      "-of",
      "csv=p=0",
      target
    ])
    assert.strictEqual(stdout.trim(), "mjpeg,640,1138")
  })

  describe("refuses, saying why", () => {
    const refusal = async (path: string) => {
      const examined = await examine(path)
      if (Result.isSuccess(examined)) return assert.fail("taken for a video")
      assert.strictEqual(examined.failure._tag, "UnsupportedMedia")
      return "detail" in examined.failure ? (examined.failure.detail ?? "") : ""
    }
    const file = async (name: string, content: string | Uint8Array) => {
      await writeFile(clips.path(name), content)
      return clips.path(name)
    }

    it("text, nothing, noise", async () => {
      assert.match(await refusal(await file("text.mp4", "This is a text.\n".repeat(500))), /cannot be read/)
      assert.match(await refusal(await file("empty.mp4", "")), /empty/)
      assert.match(await refusal(clips.path("gone.mp4")), /no longer there/)
      assert.match(
        await refusal(
          await file(
            "noise.mp4",
            Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919) % 251)
          )
        ),
        /cannot be read/
      )
    })

    it("a truncated MP4, its header at the end or at the beginning", async () => {
      const behind = await readFile(await clips.plain("behind.mp4"))
      assert.match(
        await refusal(await file("behindcut.mp4", behind.subarray(0, behind.length * 0.6))),
        /cannot be read/
      )
      const before = await readFile(await clips.plain("before.mp4", { args: ["-movflags", "+faststart"] }))
      assert.match(await refusal(await file("beforecut.mp4", before.subarray(0, before.length * 0.6))), /incomplete/)
    })

    it("sound alone, with and without a cover", async () => {
      const sound = await clips.ffmpeg("sound.m4a", "-f", "lavfi", "-i", "sine=d=1")
      assert.match(await refusal(sound), /no video stream/)
      const image = await clips.ffmpeg("cover.png", "-f", "lavfi", "-i", "testsrc2=s=64x64", "-frames:v", "1")
      const covered = await clips.ffmpeg(
        "covered.m4a",
        "-i",
        sound,
        "-i",
        image,
        "-map",
        "0",
        "-map",
        "1",
        "-c",
        "copy",
        "-disposition:v",
        "attached_pic"
      )
      assert.match(await refusal(covered), /cover image/)
    })

    it("Dolby Vision whose base layer is no picture by itself; over HLG it is taken for HLG", async () => {
      const color = "colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc"
      const coded = ["-c:v", "libx265", "-x265-params", `log-level=none:${color}`, "-pix_fmt", "yuv420p10le"]
      const plain = await readFile(await clips.plain("hlg.mp4", { silent: true, args: [...coded, "-tag:v", "hvc1"] }))
      const labelled = (name: string, configuration: ReadonlyArray<number>) =>
        file(name, withDolbyVision(plain, configuration))
      assert.match(await refusal(await labelled("five.mp4", [1, 0, 0x0a, 0x0d, 0x00])), /Dolby Vision/)
      const { media } = await facts(await labelled("eight.mp4", [1, 0, 0x10, 0x0d, 0x40]))
      assert.strictEqual(media.picture.colorTransfer, "arib-std-b67")
    })

    it("still images, as themselves and within a container", async () => {
      const image = await clips.ffmpeg("still.png", "-f", "lavfi", "-i", "testsrc2=s=64x64", "-frames:v", "1")
      assert.match(await refusal(await file("still.mp4", await readFile(image))), /cannot be read/)
      assert.match(await refusal(await clips.ffmpeg("still.mkv", "-i", image, "-c", "copy")), /still image/)
    })

    it("a picture that cannot be decoded", async () => {
      const bytes = new Uint8Array(await readFile(await clips.plain("good.mp4", { silent: true })))
      // All samples are zeros; the table that says where they are is whole.
      bytes.fill(0, 48, bytes.length - 2500)
      assert.match(await refusal(await file("broken.mp4", bytes)), /cannot be decoded/)
    })

    it("a bare stream, which has no times: it says what it is and what to do", async () => {
      const plain = await clips.plain("contained.mp4", { seconds: 1, silent: true })
      const bare = await clips.ffmpeg("bare.mp4", "-i", plain, "-c:v", "copy", "-f", "h264")
      assert.match(await refusal(bare), /bare H\.264 stream.*MP4 or MKV/)
    })

    it("too many pixels", async () => {
      const path = await clips.ffmpeg(
        "huge.mkv",
        "-f",
        "lavfi",
        "-i",
        "color=s=8200x8200:d=0.04",
        "-c:v",
        "mjpeg",
        "-pix_fmt",
        "yuvj420p"
      )
      assert.match(await refusal(path), /larger than can be read/)
    })
  })

  describe("playlists never make anyone call", () => {
    let canary: Server
    let heard = 0
    let port = 0
    beforeAll(async () => {
      canary = createServer((socket) => {
        heard++
        socket.destroy()
      })
      await new Promise<void>((done) => canary.listen(0, "127.0.0.1", done))
      const address = canary.address()
      port = typeof address === "object" && address !== null ? address.port : 0
    })
    afterAll(() => canary.close())

    const playlists = (): ReadonlyArray<readonly [string, string]> => [
      ["hls.mp4", `#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:${port}/s.ts\n#EXT-X-ENDLIST\n`],
      ["concat.mp4", `ffconcat version 1.0\nfile 'http://127.0.0.1:${port}/s.mp4'\n`],
      [
        "dash.mp4",
        `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><BaseURL>http://127.0.0.1:${port}/</BaseURL></Period></MPD>`
      ],
      [
        "sdp.mp4",
        `v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video ${port} RTP/AVP 96\na=rtpmap:96 H264/90000\n`
      ],
      [
        "imf.mp4",
        `<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016"></CompositionPlaylist>`
      ]
    ]
    it("HLS, concat, DASH, SDP, IMF named .mp4", async () => {
      for (const [name, text] of playlists()) {
        await writeFile(clips.path(name), text)
        const examined = await examine(clips.path(name))
        assert.isTrue(Result.isFailure(examined), name)
      }
      assert.strictEqual(heard, 0)
    })
  })

  it("its tools inherit no credentials", async () => {
    const spy = clips.path("ffprobe-spy")
    await writeFile(spy, `#!/bin/sh\nenv > "${clips.path("seen")}"\nexit 1\n`, { mode: 0o755 })
    const env = { REELAY_SANDBOX: "off", REELAY_FFPROBE: spy, PATH: process.env["PATH"] ?? "" }
    process.env["REELAY_TEST_CREDENTIAL"] = "hunter2"
    try {
      await Effect.runPromise(
        Ingest.use((ingest) => ingest.examine(clips.path("text.mp4"))).pipe(
          Effect.provide(layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(env))))),
          Effect.result
        )
      )
    } finally {
      delete process.env["REELAY_TEST_CREDENTIAL"]
    }
    assert.notInclude(await readFile(clips.path("seen"), "utf8"), "hunter2")
  })
})
