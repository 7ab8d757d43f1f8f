import { assert, describe, it } from "@effect/vitest"
import type { Expectation } from "../src/TaskCommand.ts"
import { decodeCheck, differences, readArguments, Reading } from "../src/Verify.ts"

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
const VIDEO = "stream|index=0|codec_name=h264|codec_type=video|width=96|height=64|sample_aspect_ratio=1:1"
const AUDIO = "stream|index=1|codec_name=aac|codec_type=audio|sample_rate=48000|channels=2|start_time=0.000000"
const packet = (stream: number, at: string, seconds: string, flags: string) =>
  `packet|stream_index=${stream}|pts_time=${at}|duration_time=${seconds}|flags=${flags}`
const RIGHT = {
  streams: [VIDEO, AUDIO],
  lines: [
    packet(0, "0.000000", "0.040000", "K_"),
    // As ffprobe writes a packet of Opus or AAC that has something to skip.
    `${packet(1, "0.000000", "0.120000", "K_")}|side_data|\n`,
    packet(0, "0.080000", "0.040000", "__"),
    packet(0, "0.040000", "0.040000", "__")
  ]
}

const found = (
  reading: { streams?: ReadonlyArray<string>; lines?: ReadonlyArray<string> },
  want: Expectation = expected
) => {
  const read = new Reading()
  const text = [...(reading.lines ?? RIGHT.lines), ...(reading.streams ?? RIGHT.streams)].join("\n")
  // In pieces that end anywhere, as a pipe delivers them.
  for (const piece of text.match(/[\s\S]{1,7}/g) ?? []) read.feed(piece)
  return differences(want, read.end())
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
      [{ streams: [VIDEO.replace("width=96", "width=98"), AUDIO] }, /^width: 96 expected, 98 found$/],
      [{ streams: [VIDEO.replace("h264", "hevc"), AUDIO] }, /^video codec/],
      [{ streams: [VIDEO.replace("1:1", "4:3"), AUDIO] }, /^pixel shape/],
      [{ streams: [`${VIDEO}|side_data|rotation=-90`, AUDIO] }, /^rotation/],
      [{ streams: [VIDEO, AUDIO.replace("48000", "44100")] }, /^sample rate/],
      [{ streams: [VIDEO, AUDIO.replace("channels=2", "channels=1")] }, /^channels/],
      [{ streams: [VIDEO, AUDIO.replace("start_time=0.000000", "start_time=0.5")] }, /^sound starts at 0\.5 s$/],
      [{ streams: [VIDEO, AUDIO, "stream|index=2|codec_type=data"] }, /^streams: 2 expected, 3 found$/],
      [{ streams: [VIDEO, AUDIO, "stream|index=two"] }, /^streams that are not understood/],
      [{ streams: [VIDEO] }, /^audio streams: 1 expected, 0 found$/]
    ]
    for (const [reading, said] of cases)
      assert.isTrue(
        found(reading).some((line) => said.test(line)),
        `${said}: ${found(reading).join("; ")}`
      )
    assert.include(found({}, { ...expected, audio: null }), "audio streams: 0 expected, 1 found")
  })

  it("asks of WebM only what milliseconds can say", () => {
    const lines = RIGHT.lines.map((line) => line.replace("pts_time=0.040000", "pts_time=0.040500"))
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
    const streams = [AUDIO.replace("index=1", "index=0").replace("aac", "pcm_s16le")]
    const long = (seconds: string) => found({ streams, lines: [packet(0, "0.000000", seconds, "K_")] }, piece)
    assert.deepStrictEqual(long("0.120000"), [])
    assert.lengthOf(long("0.120050"), 1)
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
    // A chunk's are decoded by the process that reads its packets.
    assert.isNull(check({ audio: null }))
    assert.include(readArguments({ ...expected, audio: null }).join(" "), "-skip_frame nokey")
    assert.notInclude(readArguments(expected).join(" "), "-skip_frame")
  })
})
