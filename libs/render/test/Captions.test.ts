import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { type Cue, parseCaptions } from "../src/Captions.ts"
import { overlayRefusal, overlayRefusals } from "../src/OverlayLimits.ts"

const said = ({ lines }: Cue) => lines.map((line) => line.map((span) => span.text).join("")).join("|")
const brief = (cues: ReadonlyArray<Cue>) => cues.map((cue) => [cue.start / 1e6, cue.end / 1e6, said(cue)])
const one = (format: "srt" | "vtt", text: string) =>
  parseCaptions(format, `${format === "vtt" ? "WEBVTT\n\n" : ""}00:00:01.000 --> 00:00:02.000\n${text}`).cues[0]

describe("captions", () => {
  it("are read from SubRip as it is found", () => {
    const text = [
      "\ufeff1\r\n00:00:01,000 --> 00:00:02,500 X1:100 X2:200\r\nFirst line\r\nsecond\r\n\r\n",
      "00:00:03.5 --> 00:00:04.25\nno number, points, short\n\n",
      "7\r01:02:03,004 --> 01:02:05,006\rold Mac\r\r",
      "3\n0:05,1 --> 0:06,1\nwith an empty line\n\nin it\n\n4\n00:00:02,000-->00:00:09,000\nearlier, and over others"
    ].join("")
    const { cues, issues } = parseCaptions("srt", text)
    assert.deepStrictEqual(brief(cues), [
      [1, 2.5, "First line|second"],
      [2, 9, "earlier, and over others"],
      [3.5, 4.25, "no number, points, short"],
      [5.1, 6.1, "with an empty line|in it"],
      [3723.004, 3725.006, "old Mac"]
    ])
    assert.deepStrictEqual(issues, [])
  })

  it("are read from WebVTT with its notes, names, styles and settings", () => {
    const text = [
      "WEBVTT - a film\nKind: captions\n\nNOTE\nthis --> is not a cue\n\nSTYLE\n::cue { color: red }\n",
      "intro\n00:01.000 --> 00:02.000 line:0 position:20%,line-left align:start size:50%\n<v.loud Anna Lee>Hi</v> there\n",
      "00:03.000 --> 00:04.000 line:-2\na\n",
      "00:05.000 --> 00:06.000 line:62.5% align:end\nb"
    ].join("\n")
    const { cues, issues } = parseCaptions("vtt", text)
    assert.deepStrictEqual(issues, [])
    assert.deepStrictEqual(brief(cues), [
      [1, 2, "Hi there"],
      [3, 4, "a"],
      [5, 6, "b"]
    ])
    assert.deepStrictEqual(
      cues.map((cue) => cue.place),
      [
        { alignment: null, line: { count: 0 }, position: 0.2, align: "left" },
        { alignment: null, line: { count: -2 }, position: null, align: null },
        { alignment: null, line: { fraction: 0.625 }, position: null, align: "right" }
      ]
    )
  })

  it("that cannot be read are left out, and said by their line", () => {
    const text =
      "1\n00:00:01,000 --> 00:00:02,000\ngood\n\n2\n00:00:xx,000 --> 00:00:04,000\nlost\n\n3\n00:00:06,000 --> 00:00:05,000\nback\n"
    const { cues, issues } = parseCaptions("srt", text)
    assert.deepStrictEqual(brief(cues), [[1, 2, "good"]])
    assert.deepStrictEqual(issues, [
      { line: 6, message: 'is not a time range: "00:00:xx,000 --> 00:00:04,000"' },
      { line: 10, message: "ends before it begins" }
    ])
    assert.deepStrictEqual(parseCaptions("srt", "dear diary\n").issues, [
      { line: 1, message: "is not part of any caption" }
    ])
    assert.deepStrictEqual(parseCaptions("vtt", "00:01.000 --> 00:02.000\nx").issues, [
      { line: 1, message: "does not begin with WEBVTT" }
    ])
  })

  it("have the looks of their tags, closed or not", () => {
    assert.deepStrictEqual(one("srt", '<i>a<b>b</b></i> <font color="#FF0000">c</font> <FONT color=lime>d')?.lines, [
      [
        { text: "a", italic: true },
        { text: "b", bold: true, italic: true },
        { text: " " },
        { text: "c", color: "#ff0000" },
        { text: " " },
        { text: "d", color: "#00ff00" }
      ]
    ])
    assert.deepStrictEqual(
      one("vtt", "<c.yellow.bg_blue>a</c><00:00:01.500><lang en>b</lang> &lt;c&gt; &amp;amp; &#x263a;")?.lines,
      [[{ text: "a", color: "#ffff00" }, { text: "b" }, { text: " <c> &amp; ☺" }]]
    )
    // What is no tag is text.
    assert.strictEqual(said(one("srt", "I <3 you, a<b and <shrug>") ?? assert.fail()), "I <3 you, a<b and <shrug>")
    assert.strictEqual(said(one("srt", "{\\an8}{\\p1}m 0 0") ?? assert.fail()), "{\\p1}m 0 0")
    assert.strictEqual(one("srt", "{\\an8}up")?.place.alignment, 8)
  })

  it("never fail to be read, whatever is written", () => {
    const piece = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(
        "\n",
        "\r\n",
        " --> ",
        "00:00:01,000 --> 00:00:02,000",
        "WEBVTT",
        "<b>",
        "</",
        "<font color=",
        "&#",
        "1\n\n"
      )
    )
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 30 }),
        fc.constantFrom("srt" as const, "vtt" as const),
        (pieces, format) => {
          for (const cue of parseCaptions(format, pieces.join("")).cues) {
            assert.isBelow(cue.start, cue.end)
            for (const span of cue.lines.flat()) assert.isTrue(span.text.isWellFormed() && !/[\n\r\0]/u.test(span.text))
          }
        }
      )
    )
  })

  it("of a megabyte are read at once", () => {
    const many = Array.from({ length: 16_000 }, (_, i) => {
      const at = (n: number) => new Date(n * 200).toISOString().slice(11, 23).replace(".", ",")
      return `${i}\n${at(i)} --> ${at(i + 1)}\n<i>Line</i> ${i} of many\n`
    }).join("\n")
    assert.isAbove(many.length, 900_000)
    const before = performance.now()
    assert.strictEqual(parseCaptions("srt", many).cues.length, 16_000)
    for (const hostile of [
      "<".repeat(1e6),
      "<b ".repeat(3e5),
      "&#1".repeat(3e5),
      "1\n".repeat(5e5),
      "-->\n".repeat(2e5)
    ]) {
      parseCaptions("srt", `00:01.0 --> 00:02.0\n${hostile}`)
      parseCaptions("vtt", `WEBVTT\n\n00:01.0 --> 00:02.0\n${hostile}`)
    }
    // A quadratic reader would take many minutes; this one takes a few hundred milliseconds.
    assert.isBelow(performance.now() - before, 60_000)
  })

  it("are refused when there are none in it, or more than an encoder should bear", () => {
    const captions = (text: string) => overlayRefusal({ type: "captions", format: "srt", text })
    const at = "00:00:01,000 --> 00:00:02,000\n"
    assert.strictEqual(captions(""), null)
    assert.strictEqual(captions(`${at}hello`), null)
    assert.strictEqual(captions("hello"), "there are no captions in it: line 1 is not part of any caption")
    assert.strictEqual(captions(`${at}${"long ".repeat(500)}`), "a caption has at most 2000 characters")
    assert.strictEqual(captions(`${at}x\n\n`.repeat(33)), "at most 32 captions can be shown at once")
    assert.strictEqual(captions(`${at}${"x".repeat(1e6)}`), "a caption has at most 2000 characters")
    assert.match(
      overlayRefusal({ type: "text", text: "x".repeat(1e6), start: 0, end: 1, x: 0, y: 0, size: 0.1, color: "#ffffff" })
        ?? "",
      /at most 2000/
    )
    const huge = {
      type: "text",
      text: "x".repeat(500),
      start: 0,
      end: 1,
      x: 0,
      y: 0,
      size: 1,
      color: "#ffffff"
    } as const
    assert.strictEqual(overlayRefusal(huge), "a text is too large for its length")
  })

  it("and all else that is drawn are refused by where they are, when they are too many", () => {
    const srt = (text: string) => ({ type: "captions", format: "srt", text }) as const
    const window = { time: 0, x: 0, y: 0, width: 0.5, height: 0.5 }
    const highlight = { type: "highlight", shape: "ellipse", keyframes: [window] } as const
    const long = srt(`00:00:01,000 --> 00:00:02,000\nx${"\n".repeat(1_000_000)}`)
    assert.deepStrictEqual(overlayRefusals([{ overlays: [highlight, srt("")] }, { overlays: [long] }]), [])
    assert.deepStrictEqual(overlayRefusals([{ overlays: [highlight, srt("x")] }]), [
      { clip: 0, overlay: 1, detail: "there are no captions in it: line 1 is not part of any caption" }
    ])
    const many = [{ overlays: [long, long] }, { overlays: [long, long, long] }]
    assert.deepStrictEqual(
      overlayRefusals(many).map(({ clip, overlay }) => [clip, overlay]),
      [[1, 2]]
    )
    assert.deepStrictEqual(overlayRefusals([{ overlays: Array.from({ length: 9 }, () => highlight) }]), [
      { clip: 0, overlay: 8, detail: "a clip has at most 8 highlights" }
    ])
  })
})
