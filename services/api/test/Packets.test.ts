import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { frameReader, packetReader } from "../src/ingest/Packets.ts"
import type { Frame, Packet } from "../src/ingest/Packets.ts"

describe("packets", () => {
  const text =
    "stream_index=0|pts=-512|duration=512|pos=48|flags=KD_|\n\nstream_index=1|pts=N/A|duration=N/A|pos=N/A|flags=__\nstream_index=0|pts=7|duration=1|pos=9|flags=K_"
  const whole: ReadonlyArray<readonly [number, Packet]> = [
    [0, { pts: -512, duration: 512, position: 48, key: true, discard: true }],
    [1, { pts: null, duration: 0, position: -1, key: false, discard: false }],
    [0, { pts: 7, duration: 1, position: 9, key: true, discard: false }]
  ]
  it("lines cut anywhere are the same lines", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: text.length }), { maxLength: 8 }), (cuts) => {
        const found: Array<readonly [number, Packet]> = []
        const reader = packetReader((stream, packet) => found.push([stream, packet]))
        const at = [0, ...cuts.toSorted((a, b) => a - b), text.length]
        at.slice(1).forEach((end, i) => reader.push(text.slice(at[i], end)))
        reader.end()
        assert.deepStrictEqual(found, [...whole])
      })
    )
  })
  it("frames, and nothing else that is printed between them", () => {
    const frames: Array<Frame> = []
    const reader = frameReader((frame) => frames.push(frame))
    reader.push(
      "key_frame=1|best_effort_timestamp=3|pkt_duration=2|pkt_pos=48|interlaced_frame=1\nside_datum/mastering=1\nkey_frame=0|best_effort_timestamp=N/A|nb_samples=1024\n"
    )
    reader.end()
    assert.deepStrictEqual(frames, [
      { pts: 3, duration: 2, position: 48, key: true, interlaced: true, samples: 0 },
      { pts: null, duration: 0, position: -1, key: false, interlaced: false, samples: 1024 }
    ])
  })
})
