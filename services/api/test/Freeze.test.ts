import { assert, describe, it } from "@effect/vitest"
import type { ExportRequest } from "@reelay/contracts/Export"
import { ExportRequest as ExportRequestSchema } from "@reelay/contracts/Export"
import { CUT } from "@reelay/contracts/Edits"
import { ClipId, Digest, ImageId, newId, UserId, VideoId } from "@reelay/contracts/Ids"
import { Micros } from "@reelay/contracts/Quantity"
import type { SpecImage } from "@reelay/contracts/RenderSpec"
import { spec } from "@reelay/platform/testing/Fixtures"
import { framesBetween } from "@reelay/render/Timeline"
import { Result, Schema } from "effect"
import fc from "fast-check"
import { requestDigest } from "../src/Digest.ts"
import { clipsOfVideo, freeze } from "../src/Freeze.ts"
import type { Material, MaterialClip } from "../src/Freeze.ts"

const decodeRequest = Schema.decodeUnknownSync(ExportRequestSchema)

describe("digest", () => {
  it("is of what is meant: order and left-out defaults do not matter, values do", () => {
    const videoId = newId(VideoId)
    const a = decodeRequest({ videoId, settings: { quality: "high", format: "mp4" } })
    const b = decodeRequest({
      settings: { format: "mp4", quality: "high", mode: "balanced" },
      delivery: "combined",
      videoId
    })
    assert.strictEqual(requestDigest(a), requestDigest(b))
    for (const other of [
      { videoId, priority: "low" },
      { videoId, segments: [{ start: 0, end: 1 }] },
      { videoId: newId(VideoId) }
    ]) {
      assert.notStrictEqual(requestDigest(decodeRequest(other)), requestDigest(decodeRequest({ videoId })))
    }
  })
})

describe("freeze", () => {
  const owner = UserId.make("alice")
  const videoId = newId(VideoId)
  const [source] = spec(owner, videoId).sources
  const image: SpecImage = {
    imageId: newId(ImageId),
    sha256: Digest.make("0".repeat(64)),
    object: "images/image.png",
    bytes: 1,
    width: 64,
    height: 32
  }
  const sources = new Map(source === undefined ? [] : [[videoId, source]])
  const request = (part: Record<string, unknown> = {}): ExportRequest => decodeRequest({ videoId, ...part })
  const material = (clips: ReadonlyArray<MaterialClip>): Material => ({
    name: "beach.mp4",
    aspect: "source",
    clips,
    sources,
    images: new Map([[image.imageId, image]])
  })
  const frozen = (part: Record<string, unknown>, clips: ReadonlyArray<MaterialClip>) => {
    const result = freeze(request(part), owner, material(clips))
    return Result.isSuccess(result) ? result.success : assert.fail(String(result.failure))
  }
  const refused = (part: Record<string, unknown>, clips: ReadonlyArray<MaterialClip>) => {
    const result = freeze(request(part), owner, material(clips))
    return Result.isFailure(result) ? result.failure : assert.fail("accepted")
  }
  const clip = (edits: Partial<MaterialClip> = {}): MaterialClip => ({
    id: newId(ClipId),
    version: 1,
    name: "one",
    videoId,
    timing: null,
    crop: null,
    speed: [],
    transition: CUT,
    overlays: [],
    ...edits
  })

  it("counts frames to the frame, for any segments", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 9_900_000 }), fc.integer({ min: 50_000, max: 5_000_000 })), {
          minLength: 1,
          maxLength: 5
        }),
        (parts) => {
          const segments = parts.map(([start, length]) => ({
            start: start / 1e6,
            end: Math.min(10_000_000, start + length) / 1e6
          }))
          const got = frozen({}, clipsOfVideo(videoId, "beach.mp4", segments))
          assert.strictEqual(
            got.frames,
            got.spec.clips.reduce((sum, one) => sum + framesBetween(one.start, one.end, got.spec.target.frameRate), 0)
          )
          assert.strictEqual(got.duration, got.frames * 40_000)
          assert.isTrue(got.spec.clips.every((one) => one.frames >= 1 && one.source === 0))
        }
      )
    )
  })
  it("no segments, or none in the list: all of it, named after the video", () => {
    for (const segments of [undefined, []]) {
      const { frames, spec: made } = frozen({}, clipsOfVideo(videoId, "beach.mp4", segments))
      assert.strictEqual(frames, 250)
      assert.strictEqual(made.name, "beach.720p")
      assert.deepStrictEqual(
        made.sources.map((one) => one.videoId),
        [videoId]
      )
      assert.deepStrictEqual([made.target.width, made.target.height, made.target.codec], [1280, 720, "h264"])
    }
  })
  it("a source that several clips use is there once", () => {
    const made = frozen({}, [clip(), clip({ timing: { start: 1, end: 2 } })])
    assert.strictEqual(made.spec.sources.length, 1)
    assert.deepStrictEqual(
      made.spec.clips.map((one) => one.frames),
      [250, 25]
    )
  })
  it("names what cannot be rendered, all of it", () => {
    const unnamed = { type: "image", start: 0, end: 1, x: 0, y: 0, width: 0.5 } as const
    const captions = { type: "captions", format: "srt", text: "1\n00:00:01,000 --> 00:00:02,000\nhello\n" } as const
    const clips = [
      clip({ overlays: [captions, unnamed, { ...unnamed, imageId: newId(ImageId) }] }),
      clip({ overlays: [{ ...captions, text: "no captions" }] })
    ]
    const fieldsOf = (failure: ReturnType<typeof refused>) =>
      failure._tag === "Validation" ? failure.errors?.map((error) => error.field) : failure._tag
    assert.deepStrictEqual(fieldsOf(refused({ type: "overlay", delivery: "single" }, clips)), [
      "delivery",
      "clips[0].overlays[1]",
      "clips[1].overlays[0]",
      "clips[0].overlays[2].imageId"
    ])
    const film = refused({ type: "overlay" }, [clip({ overlays: [{ ...unnamed, videoId }] })])
    assert.deepStrictEqual(fieldsOf(film), ["clips[0].overlays[0]"])
    assert.match(film.detail ?? "", /shows an image \(imageId\), not a video/)
    // A framing shows no overlays, by what it is; nor does the clip's name alone.
    assert.lengthOf(frozen({}, clips).spec.clips, 2)
    assert.strictEqual(frozen({ type: "annotate" }, clips).spec.type, "annotate")
    assert.strictEqual(frozen({ type: "overlay" }, [clip({ overlays: [captions] })]).spec.type, "overlay")
  })
  it("an image is there once, with the facts by which it is drawn, where overlays are drawn", () => {
    const { imageId } = image
    const shown = { type: "image", imageId, start: 0, end: 1, x: 0, y: 0, width: 0.5 } as const
    const clips = [clip({ overlays: [shown, { ...shown, x: 0.5 }] }), clip({ overlays: [shown] })]
    assert.deepStrictEqual(frozen({ type: "overlay" }, clips).spec.images, [image])
    assert.deepStrictEqual(frozen({ type: "before_after" }, clips).spec.images, [image])
    assert.notProperty(frozen({}, clips).spec, "images")
    const late = refused({ type: "overlay" }, [clip({ overlays: [{ ...shown, start: 1 }] })])
    assert.match(late.detail ?? "", /end must be after its start/)
    const large = { ...image, imageId: newId(ImageId), width: 4096, height: 4096 }
    const many = Array.from({ length: 3 }, () => ({ ...shown, imageId: large.imageId }))
    const tooMany = freeze(request({ type: "overlay" }), owner, {
      ...material([clip({ overlays: many })]),
      images: new Map([[large.imageId, large]])
    })
    const refusal = Result.isFailure(tooMany) ? tooMany.failure : assert.fail()
    assert.match(refusal.detail ?? "", /^clips\[0\].overlays have 51 million pixels in their images; 40 million/)
    const { imageId: _, ...video } = { ...shown, videoId }
    assert.match(refused({ type: "overlay" }, [clip({ overlays: [video] })]).detail ?? "", /not a video/)
  })
  it("parts that are none", () => {
    const bad: ReadonlyArray<readonly [number, number]> = [
      [1, 1],
      [2, 1],
      [-1, 1],
      [0, 10.1],
      [1, 1.0001],
      [1e300, 2e300],
      [-1e300, 1],
      [0, 1e300],
      [Number.NaN, 1]
    ]
    for (const [start, end] of bad) {
      const result = freeze(
        { ...request(), segments: [{ start, end }] },
        owner,
        material(clipsOfVideo(videoId, "b", [{ start, end }]))
      )
      assert.isTrue(Result.isFailure(result) && result.failure._tag === "InvalidSegment", `${start} to ${end}`)
    }
  })
  it("nothing to export", () => assert.strictEqual(refused({}, [])._tag, "NoClips"))
  it("another aspect without a crop: which clip it is", () => {
    const one = clip()
    const failure = refused({ settings: { aspect: "9:16" } }, [one])
    assert.isTrue(failure._tag === "MissingCropData" && failure.clipId === one.id)
  })
  it("another aspect with a crop, or with room around it", () => {
    const crop = { keyframes: [{ time: 0, x: 0.3, y: 0, width: 0.4, height: 1 }] }
    const cropped = frozen({ settings: { aspect: "9:16" } }, [clip({ crop })])
    assert.deepStrictEqual([cropped.spec.target.width, cropped.spec.target.height], [720, 1280])
    assert.deepStrictEqual(cropped.spec.clips[0]?.crop, crop)
    assert.strictEqual(frozen({ settings: { aspect: "9:16", fit: "blur" } }, [clip()]).spec.target.fit, "blur")
  })
  it("speeds: so many frames the more or fewer, and one at a time", () => {
    const speed = [
      { start: 1, end: 2, rate: 0.5 },
      { start: 4, end: 8, rate: 4 }
    ]
    // 25 frames a second: ten seconds, one of them doubled, four a quarter.
    assert.strictEqual(frozen({}, [clip({ speed })]).frames, 250 + 25 - 75)
    const failure = refused({}, [clip(), clip({ speed: [...speed, { start: 1.5, end: 3, rate: 2 }] })])
    assert.deepStrictEqual(failure._tag === "Validation" ? failure.errors?.map((error) => error.field) : [], [
      "clips[1].speed"
    ])
  })
  it("transitions: a dissolve makes the file shorter, and what is longer than its clip is refused with its place", () => {
    const into = (type: "fade" | "dissolve", duration: number) => clip({ transition: { type, duration } })
    assert.strictEqual(frozen({}, [into("dissolve", 2), into("fade", 1), clip()]).frames, 750 - 50)
    assert.strictEqual(frozen({ delivery: "clips" }, [into("dissolve", 2), clip()]).frames, 500)
    const brief = clip({ timing: { start: 1, end: 2 }, transition: { type: "dissolve", duration: 0.6 } })
    const failure = refused({}, [into("dissolve", 0.6), brief, clip()])
    assert.deepStrictEqual(failure._tag === "Validation" ? failure.errors?.map((error) => error.field) : [], [
      "clips[1].transition"
    ])
    // The last one's leads nowhere.
    assert.strictEqual(frozen({}, [clip(), into("dissolve", 30)]).frames, 500)
  })
  describe("more than one export may come to is refused, with the limit", () => {
    const long = newId(VideoId)
    const hour = 3600 * 1_000_000
    if (source !== undefined) {
      const picture = { ...source.media.picture, duration: Micros.make(24 * hour) }
      sources.set(long, { ...source, videoId: long, media: { ...source.media, picture } })
    }
    const said = (clips: ReadonlyArray<MaterialClip>) => {
      const failure = refused({}, clips)
      return failure._tag === "Validation" ? failure.errors : assert.fail(failure._tag)
    }
    it("hours of output: of all segments together, at the speed they are shown", () => {
      assert.strictEqual(frozen({}, clipsOfVideo(long, "day", undefined)).frames, 24 * 3600 * 25)
      const segments = Array.from({ length: 1000 }, (_, s) => ({ start: s, end: 86_400 }))
      const field = { field: "segments", message: "come to 23861.3 hours of output; 24 is the most" }
      assert.deepStrictEqual(said(clipsOfVideo(long, "day", segments)), [field])
      const slow = { videoId: long, timing: { start: 0, end: 50_000 }, speed: [{ start: 0, end: 50_000, rate: 0.5 }] }
      assert.strictEqual(said([clip(slow)])?.[0]?.field, "clips")
      assert.strictEqual(frozen({}, [clip({ ...slow, speed: [] })]).frames, 50_000 * 25)
    })
    it("speeds", () => {
      const speed = Array.from({ length: 2500 }, (_, n) => ({ start: n / 1000, end: (n + 1) / 1000, rate: 2 }))
      frozen({}, [clip({ speed }), clip({ speed })])
      const one = clip({ speed: speed.slice(0, 1) })
      assert.deepStrictEqual(said([clip({ speed }), one, clip({ speed })]), [
        { field: "clips", message: "have 5001 speeds; 5000 is the most" }
      ])
    })
    it("keyframes, of crops and of highlights", () => {
      const keyframe = { time: 0, x: 0, y: 0, width: 1, height: 1 }
      const some = clip({ crop: { keyframes: Array.from({ length: 10_000 }, () => keyframe) } })
      const keyframes = [keyframe]
      const marked = clip({ overlays: [{ type: "highlight", shape: "ellipse", keyframes }] })
      const errors = said([...Array.from({ length: 10 }, () => some), marked]) ?? []
      assert.deepInclude(errors, { field: "clips", message: "have 100001 keyframes; 100000 is the most" })
    })
    it("bytes, as it is stored", () => {
      const keyframe = { time: 0.1234567, x: 0.1234567, y: 0.1234567, width: 0.5, height: 0.5 }
      const some = clip({ crop: { keyframes: Array.from({ length: 10_000 }, () => keyframe) } })
      frozen(
        {},
        Array.from({ length: 5 }, () => some)
      )
      assert.deepStrictEqual(said(Array.from({ length: 6 }, () => some)), [
        { field: "clips", message: "come to more than 4 MiB with all their edits" }
      ])
    })
  })
  it("settings that cannot be", () => {
    const failure = refused({ settings: { format: "webm", codec: "h264" } }, [clip()])
    assert.deepStrictEqual(failure._tag === "Validation" ? failure.errors?.map((error) => error.field) : [], [
      "settings.codec"
    ])
  })
})
