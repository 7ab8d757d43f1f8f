import { assert, describe, it } from "@effect/vitest"
import { type Progress, progressReader } from "@reelay/encoder/FfmpegProgress"
import * as fc from "fast-check"

const block = (frame: number, speed: string, end = "continue") =>
  `frame=${frame}\nfps=25.0\nstream_0_0_q=28.0\nbitrate= 100.1kbits/s\ntotal_size=${frame * 10}\nout_time_us=${frame * 40_000}\n`
  + `out_time=00:00:01.000000\ndup_frames=0\ndrop_frames=0\nspeed=${speed}\nprogress=${end}\n`

const readAll = (text: string, cuts: ReadonlyArray<number>): ReadonlyArray<Progress> => {
  const seen: Array<Progress> = []
  const read = progressReader((progress) => void seen.push(progress))
  let from = 0
  for (const cut of cuts.map((cut) => cut % (text.length + 1)).toSorted((a, b) => a - b)) {
    read(text.slice(from, Math.max(from, cut)))
    from = Math.max(from, cut)
  }
  read(text.slice(from))
  return seen
}

describe("progressReader", () => {
  it("reads the same however the text is cut", () => {
    const text = block(12, "1.5x") + block(20, "N/A") + block(25, "   0x", "end")
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 12 }), (cuts) => {
        assert.deepStrictEqual(
          readAll(text, cuts).map(({ frames, speed }) => [frames, speed]),
          [
            [12, 1.5],
            [20, null],
            [25, null]
          ]
        )
      })
    )
  })

  it("changes its mark with anything that was done, frames or not", () => {
    const [a, b, c] = readAll(
      "frame=0\nout_time_us=10\nprogress=continue\nout_time_us=10\nframe=0\nprogress=continue\nframe=0\nout_time_us=20\nprogress=end\n",
      []
    )
    assert.strictEqual(a?.mark, b?.mark)
    assert.notStrictEqual(b?.mark, c?.mark)
  })

  it("takes nonsense for nothing, and holds no more of it than a line may be", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const { frames, speed } of readAll(text, [])) {
          assert.isAtLeast(frames, 0)
          if (speed !== null) assert.isAbove(speed, 0)
        }
      })
    )
    assert.deepStrictEqual(
      readAll(`${"x".repeat(100_000)}${"y".repeat(100_000)}\n${block(3, "1x")}`, [70_000, 140_000]).map(
        (one) => one.frames
      ),
      [3]
    )
  })
})
