import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { clampTrim, defaultChoice, requestOf, retimed, segmentOf, SHORTEST } from "../src/state/Draft.ts"
import { agoText, awayText, bytesText, clockText, leftText, parseTimecode, timecodeText } from "../src/state/Words.ts"
import { row } from "./Rows.ts"
import { idOf } from "./Rows.ts"
import { Video } from "@reelay/contracts/Media"
import { Schema } from "effect"

const plain = (text: string) => text.replaceAll("\u00a0", " ")

describe("words", () => {
  it("says sizes", () => {
    assert.deepStrictEqual(
      [0, 999, 1000, 12_400_000, 9_960_000_000, 2_000_000_000_000].map((bytes) => plain(bytesText(bytes))),
      ["0 B", "999 B", "1.0 kB", "12 MB", "10.0 GB", "2.0 TB"]
    )
  })

  it("says media times and reads them back", () => {
    assert.strictEqual(clockText(3723), "1:02:03")
    assert.strictEqual(timecodeText(59.999), "1:00.00")
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 35_999_999 }), (hundredths) => {
        const back = parseTimecode(timecodeText(hundredths / 100))
        assert.strictEqual(Math.round((back ?? -1) * 100), hundredths)
      })
    )
  })

  it("reads what people type", () => {
    const read = [" 7 ", "7,25", "1:2.5", "0:90", "1:00:00", ".5", "", "abc", "-1", "1:", "1:2:3:4", "NaN", "1e3"].map(
      parseTimecode
    )
    assert.deepStrictEqual(read, [7, 7.25, 62.5, 90, 3600, 0.5, null, null, null, null, null, null, null])
  })

  it("says roughly what is left, and how long ago", () => {
    assert.deepStrictEqual(
      [2, 34, 50, 130, 3569, 3600, 9000, 86_400].map((s) => plain(leftText(s))),
      [
        "a few seconds left",
        "about 35 s left",
        "about 1 min left",
        "about 2 min left",
        "about 59 min left",
        "about 1 h left",
        "about 2.5 h left",
        "about 24 h left"
      ]
    )
    const now = Date.parse("2026-11-20T10:00:00Z")
    const ago = (ms: number) => plain(agoText(now - ms, now))
    assert.deepStrictEqual(
      [ago(-5000), ago(61_000), ago(7_200_000), ago(86_400_000), ago(3 * 86_400_000), ago(30 * 86_400_000)],
      ["just now", "1 min ago", "2 h ago", "yesterday", "3 days ago", "Oct 21, 2026"]
    )
  })

  it("says what happened meanwhile", () => {
    const done = row({ n: 1, status: "completed", epoch: 1 })
    const failed = row({ n: 2, status: "failed", epoch: 1 })
    assert.strictEqual(awayText([done]), "1 export finished while you were away")
    assert.strictEqual(awayText([done, done]), "2 exports finished while you were away")
    assert.strictEqual(awayText([failed]), "1 export failed while you were away")
    assert.strictEqual(awayText([done, failed]), "1 export finished and 1 failed while you were away")
  })
})

describe("trim", () => {
  const video = Schema.decodeUnknownSync(Video)({
    id: idOf(1),
    name: "a.mp4",
    status: "ready",
    bytes: 1,
    container: "mp4",
    duration: 6.006,
    frames: 180,
    width: 640,
    height: 360,
    frameRate: 29.97,
    variableFrameRate: false,
    videoCodec: "h264",
    audioCodec: null,
    hasAudio: false,
    contentUrl: "/c",
    posterUrl: "/p",
    createdAt: "2026-11-20T10:00:00Z"
  })

  it("is always a part of the video, whatever the sliders and fields say", () => {
    const seconds = fc.double({ min: -1e4, max: 1e4, noNaN: true })
    fc.assert(
      fc.property(seconds, seconds, fc.double({ min: 0.2, max: 1e4, noNaN: true }), (start, end, duration) => {
        const kept = clampTrim({ start, end }, duration)
        assert.isAtLeast(kept.start, 0)
        assert.isAtMost(kept.end, duration)
        assert.isAtLeast(kept.end - kept.start, SHORTEST - 0.02)
        assert.deepStrictEqual(clampTrim(kept, duration), kept)
      })
    )
  })

  it("asks for no segment when it keeps everything", () => {
    assert.isNull(segmentOf({ start: 0, end: 6 }, 6.006))
    assert.isNull(segmentOf(null, 6.006))
    assert.notProperty(requestOf(video, defaultChoice, { start: 0, end: 6.006 }), "segments")
  })

  it("reaches the very end when its handle does", () => {
    assert.deepStrictEqual(requestOf(video, defaultChoice, { start: 1, end: 6 }).segments, [{ start: 1, end: 6.006 }])
    assert.deepStrictEqual(requestOf(video, defaultChoice, { start: 1, end: 99 }).segments, [{ start: 1, end: 6.006 }])
  })

  it("follows the server's idea of the length", () => {
    assert.deepStrictEqual(retimed({ start: 1, end: 6.05 }, 6.05, 6.2), { start: 1, end: 6.2 })
    assert.deepStrictEqual(retimed({ start: 1, end: 4 }, 6.05, 6.2), { start: 1, end: 4 })
    assert.deepStrictEqual(retimed({ start: 1, end: 6.04 }, 6.2, 6.006), { start: 1, end: 6.006 })
    assert.isNull(retimed(null, 6, 7))
  })

  it("carries the choice", () => {
    const { settings } = requestOf(video, { resolution: "4k", format: "webm", quality: "low" }, null)
    assert.deepInclude(settings, { resolution: "4k", format: "webm", quality: "low", mode: "balanced" })
  })
})
