import { assert, describe, it } from "@effect/vitest"
import { Settings } from "@reelay/contracts/Export"
import type { MediaInfo } from "@reelay/contracts/Media"
import type { Aspect } from "@reelay/contracts/Project"
import { Result, Schema } from "effect"
import fc from "fast-check"
import { ceilingOf, estimateBytes } from "../src/Estimate.ts"
import { resolveTarget, type Shown } from "../src/Target.ts"
import { media } from "./Specs.ts"

const settings = (change: typeof Settings.Encoded = {}): Settings => Schema.decodeUnknownSync(Settings)(change)
const uncropped = (media: MediaInfo): Shown => ({ media, crop: null })
const target = (change: typeof Settings.Encoded, clips: ReadonlyArray<MediaInfo>, aspect: Aspect = "source") =>
  Result.getOrThrow(resolveTarget(settings(change), aspect, clips.map(uncropped)))
const refusal = (change: typeof Settings.Encoded, clips = [media(1920, 1080)], aspect: Aspect = "source") =>
  Result.getOrThrow(Result.flip(resolveTarget(settings(change), aspect, clips.map(uncropped))))

describe("resolveTarget", () => {
  it("names the short side, keeps the shape, in even pixels", () => {
    const size = (resolution: Settings["resolution"], width: number, height: number, aspect: Aspect = "source") => {
      const { width: w, height: h } = target({ resolution }, [media(width, height)], aspect)
      return `${w}x${h}`
    }
    assert.strictEqual(size("720p", 1920, 1080), "1280x720")
    assert.strictEqual(size("720p", 1080, 1920), "720x1280")
    assert.strictEqual(size("1080p", 1000, 1000), "1080x1080")
    assert.strictEqual(size("4k", 1920, 1080), "3840x2160")
    assert.strictEqual(size("720p", 480, 352), "982x720")
    assert.strictEqual(size("720p", 1920, 1080, "16:9"), "1280x720")
    assert.strictEqual(size("720p", 864, 1080, "4:5"), "720x900")
    assert.strictEqual(size("source", 97, 65), "96x64")
    assert.strictEqual(size("source", 1918, 1080), "1918x1080")
    assert.strictEqual(size("source", 1920, 1080, "16:9"), "1920x1080")
  })

  it("is always even, of the named short side, and takes its own source", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 64, max: 2000 }),
        fc.integer({ min: 64, max: 2000 }),
        fc.constantFrom("720p", "1080p", "source"),
        (width, height, resolution) => {
          fc.pre(Math.max(width, height) / Math.min(width, height) < 4)
          const made = target({ resolution }, [media(width, height)])
          assert.strictEqual((made.width % 2) + (made.height % 2), 0)
          if (resolution !== "source")
            assert.strictEqual(Math.min(made.width, made.height), resolution === "720p" ? 720 : 1080)
        }
      )
    )
  })

  it("takes rate and sound from the clips", () => {
    const clips = [media(1280, 720, { rate: { num: 30000, den: 1001 } }), media(1920, 1080, { sound: true })]
    assert.deepInclude(target({}, clips), {
      frameRate: { num: 30000, den: 1001 },
      sound: true,
      codec: "h264",
      format: "mp4"
    })
    assert.deepInclude(target({ frameRate: 59.94, format: "webm" }, [media(1280, 720)]), {
      frameRate: { num: 60000, den: 1001 },
      sound: false,
      codec: "vp9"
    })
    assert.strictEqual(target({ format: "mov", codec: "hevc" }, clips).codec, "hevc")
  })

  it("refuses what cannot be or does not work yet, by the setting's name", () => {
    const field = (change: typeof Settings.Encoded, clips?: ReadonlyArray<MediaInfo>) => {
      const refused = refusal(change, clips === undefined ? undefined : [...clips])
      return refused._tag === "setting" ? refused.field : refused._tag
    }
    assert.strictEqual(field({ codec: "vp9" }), "settings.codec")
    assert.strictEqual(field({ codec: "h264", format: "webm" }), "settings.codec")
    assert.strictEqual(field({ codec: "av1", format: "mov" }), "settings.codec")
    assert.strictEqual(field({ resolution: "4k" }, [media(2000, 100)]), "settings.resolution")
    assert.strictEqual(field({ resolution: "source" }, [media(64, 8)]), "settings.resolution")
  })

  it("names the clip that would need a crop", () => {
    assert.deepInclude(refusal({}, [media(1920, 1080)], "9:16"), { _tag: "missingCrop", clip: 0 })
    assert.deepInclude(refusal({}, [media(1920, 1080), media(854, 480), media(640, 480)]), {
      _tag: "missingCrop",
      clip: 2
    })
    // Unless there is a crop, or padding is asked for.
    const crop = { keyframes: [{ time: 0, x: 0, y: 0, width: 0.5, height: 1 }] }
    const tall = { ...settings(), aspect: "9:16" as const }
    assert.isTrue(Result.isSuccess(resolveTarget(tall, "9:16", [{ media: media(1920, 1080), crop }])))
    for (const fit of ["pad", "blur"] as const) {
      assert.deepInclude(target({ fit }, [media(1920, 1080)], "9:16"), { fit, width: 720, height: 1280 })
    }
    // A pixel of rounding is no other shape.
    for (const [width, height] of [
      [854, 480],
      [853, 480],
      [1366, 768],
      [1918, 1080]
    ] as const) {
      assert.isTrue(
        Result.isSuccess(resolveTarget(settings(), "16:9", [uncropped(media(width, height))])),
        `${width}×${height}`
      )
    }
    for (const [width, height] of [
      [1920, 1088],
      [1900, 1080],
      [720, 576]
    ] as const) {
      assert.isTrue(
        Result.isFailure(resolveTarget(settings(), "16:9", [uncropped(media(width, height))])),
        `${width}×${height}`
      )
    }
  })
})

describe("Estimate", () => {
  const at = (change: typeof Settings.Encoded, rate = { num: 30, den: 1 }) =>
    target(change, [media(1920, 1080, { rate })])

  it("scales ceilings by pixels and frame rate", () => {
    assert.strictEqual(ceilingOf(at({ quality: "high" })), 8_000_000)
    assert.strictEqual(ceilingOf(at({ quality: "medium" })), 4_000_000)
    assert.strictEqual(ceilingOf(at({ quality: "low", resolution: "1080p" })), 4_500_000)
    assert.strictEqual(ceilingOf(at({ quality: "low" }, { num: 60, den: 1 })), 4_000_000)
  })

  it("estimates below the ceiling, and more for more", () => {
    const minute = estimateBytes(at({}), 1800)
    assert.isAbove(minute, 1_000_000)
    assert.isBelow(minute, (4_000_000 * 60) / 8)
    assert.isAbove(estimateBytes(at({ quality: "high" }), 1800), minute)
    assert.isAbove(estimateBytes(at({}), 3600), minute)
  })
})
