import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { Expectation } from "../src/Command.ts"
import { decodeCheck, differences, PacketTally, Probe } from "../src/Verify.ts"

/** A right reading, and what is said of each wrong one. (That real files are read right, every other test here shows.) */
const expected: Expectation = {
  path: "/x.mp4",
  role: "media",
  name: "x.mp4",
  contentType: "video/mp4",
  video: { codec: "h264", width: 96, height: 64, frames: 3, rate: { num: 25, den: 1 } },
  audio: { codec: "aac", samples: 5760 },
  seams: []
}
const video = { index: 0, codec_type: "video", codec_name: "h264", width: 96, height: 64, sample_aspect_ratio: "1:1" }
const audio = {
  index: 1,
  codec_type: "audio",
  codec_name: "aac",
  sample_rate: "48000",
  channels: 2,
  start_time: "0.000000"
}
const RIGHT = {
  streams: [video, audio],
  lines: ["0,0.000000,0.040000,K__", "1,0.000000,0.120000,K__", "0,0.080000,0.040000,___", "0,0.040000,0.040000,___"]
}

const found = (
  reading: { streams?: ReadonlyArray<object>; lines?: ReadonlyArray<string> },
  want: Expectation = expected
) => {
  const probe = Schema.decodeUnknownSync(Probe)(
    JSON.stringify({ streams: reading.streams ?? RIGHT.streams, format: { format_name: "mov,mp4", duration: "0.12" } })
  )
  const tally = new PacketTally()
  // In pieces that end anywhere, as a pipe delivers them.
  for (const piece of (reading.lines ?? RIGHT.lines).join("\n").match(/[\s\S]{1,7}/g) ?? []) tally.feed(piece)
  return differences(want, probe, tally.end())
}

describe("Verify", () => {
  it("has nothing to say of a file that is right", () => {
    assert.deepStrictEqual(found({}), [])
  })

  it("tells every difference", () => {
    const cases: ReadonlyArray<readonly [Parameters<typeof found>[0], RegExp]> = [
      [{ lines: RIGHT.lines.slice(0, 3) }, /^frames: 3 expected, 2 found$/],
      [
        { lines: RIGHT.lines.map((line) => line.replace("0.080000", "0.081000")) },
        /^frame 2 is shown at 0\.081000 s instead of 0\.080000 s$/
      ],
      [{ lines: RIGHT.lines.map((line) => line.replace("K", "_")) }, /^no key frame$/],
      [{ lines: RIGHT.lines.map((line) => line.replace("0.080000", "N/A")) }, /^bad packets: 0 expected, 1 found$/],
      [
        { lines: RIGHT.lines.map((line) => line.replace("0.120000", "0.020000")) },
        /^sound: 0\.1200 s expected, 0\.0200 s found$/
      ],
      [{ streams: [{ ...video, width: 98 }, audio] }, /^width: 96 expected, 98 found$/],
      [{ streams: [{ ...video, codec_name: "hevc" }, audio] }, /^video codec/],
      [{ streams: [{ ...video, sample_aspect_ratio: "4:3" }, audio] }, /^pixel shape/],
      [
        { streams: [{ ...video, side_data_list: [{ side_data_type: "Display Matrix", rotation: -90 }] }, audio] },
        /^rotation/
      ],
      [{ streams: [video, { ...audio, sample_rate: "44100" }] }, /^sample rate/],
      [{ streams: [video, { ...audio, channels: 1 }] }, /^channels/],
      [{ streams: [video, { ...audio, start_time: "0.5" }] }, /^sound starts at 0\.5 s$/],
      [{ streams: [video, audio, { index: 2, codec_type: "data" }] }, /^streams: 2 expected, 3 found$/],
      [{ streams: [video] }, /^audio streams: 1 expected, 0 found$/]
    ]
    for (const [reading, said] of cases)
      assert.isTrue(
        found(reading).some((line) => said.test(line)),
        `${said}: ${found(reading).join("; ")}`
      )
    assert.include(found({}, { ...expected, audio: null }), "audio streams: 0 expected, 1 found")
  })

  it("asks of WebM only what milliseconds can say", () => {
    const lines = RIGHT.lines.map((line) => line.replace("0.040000,0", "0.040500,0"))
    assert.deepStrictEqual(found({ lines }, { ...expected, contentType: "video/webm" }), [])
    assert.lengthOf(found({ lines }), 1)
  })

  it("counts samples of PCM one by one", () => {
    const piece: Expectation = {
      ...expected,
      video: null,
      audio: { codec: "pcm_s16le", samples: 5760 },
      contentType: "audio/wav"
    }
    const streams = [{ ...audio, index: 0, codec_name: "pcm_s16le" }]
    assert.deepStrictEqual(found({ streams, lines: ["0,0.000000,0.120000,K__"] }, piece), [])
    assert.lengthOf(found({ streams, lines: ["0,0.000000,0.120050,K__"] }, piece), 1)
  })

  it("decodes the key frames of a piece and the seams of what was joined", () => {
    const check = (change: Partial<Expectation>) => {
      const found = decodeCheck({ ...expected, ...change })
      return found === null ? null : [found.program, ...found.argv.slice(-9)].join(" ")
    }
    assert.strictEqual(check({}), "ffmpeg -skip_frame nokey -i file:/x.mp4 -map 0:v:0 -f null -")
    assert.strictEqual(
      check({ seams: [150, 300] }),
      "ffprobe -select_streams v:0 -read_intervals 5.960000%6.480000,11.960000%12.480000 "
        + "-show_entries frame=key_frame -of csv=p=0 file:/x.mp4"
    )
    assert.isBelow(
      check({ seams: Array.from({ length: 100_000 }, (_, i) => 150 * (i + 1)) })?.length ?? Infinity,
      120_000
    )
    assert.isNull(check({ video: null }))
    assert.isNull(check({ role: "poster" }))
  })
})
