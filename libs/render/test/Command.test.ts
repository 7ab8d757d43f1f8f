import { assert, describe, it } from "@effect/vitest"
import type { Family, VideoCodec } from "@reelay/contracts/Export"
import type { Plan } from "@reelay/contracts/Plan"
import fc from "fast-check"
import { argv } from "../src/Argv.ts"
import { commandFor } from "../src/Command.ts"
import { encoderArguments, encoderName, LADDER, probeArguments, threadsFor, weightFor } from "../src/Encoders.ts"
import { media, planOf, specOf, unfolded } from "./Specs.ts"

/** The commands, letter by letter. A change here changes the bytes that are made: raise COMPILER with it. */
const index = {
  v: 1 as const,
  timeBase: { num: 1, den: 90_000 },
  pts: Array.from({ length: 1500 }, (_, n) => n * 3600),
  keys: Array.from({ length: 30 }, (_, n) => n * 50),
  keyBytes: Array.from({ length: 30 }, () => -1)
}
const sources = [{ media: media(1920, 1080, { sound: true, frames: 1500 }), index }]
const places = {
  source: (i: number) => `/s/${i}`,
  image: (id: string) => `/i/${id.slice(-4)}`,
  made: (key: string) => `/m/${key.slice(0, 4)}`,
  folder: "/t",
  device: null
}
const lines = (text: string): string => text.trim().replaceAll(/\s*\n\s*/g, " ")

const command = (given: Plan, tag: string, nth = 0) => {
  const plan = unfolded(given)
  const task = plan.tasks.filter(({ work }) => work._tag === tag)[nth] ?? assert.fail(`no ${tag} task`)
  const { files, steps, makes } = commandFor(plan, task, places)
  return { texts: files.map((file) => file.text), commands: steps.map((step) => step.argv.join(" ")), steps, makes }
}

const SAFE =
  "-protocol_whitelist file,pipe -format_whitelist "
  + "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,mxf,nut,ivf,dv,gxf,wtv,rm,h264,hevc,obu -max_pixels 67108864"
const OWN = "-protocol_whitelist file,pipe -format_whitelist concat,mov,matroska,wav,image2,jpeg_pipe,mjpeg"
const RUN = "-hide_banner -nostdin -v error -y -nostats -stats_period 0.25 -progress pipe:1"
const HEARD = "-v repeat+level+warning"
const PLAIN = "-map_metadata -1 -map_chapters -1 -fflags +bitexact"
const BT709 = "-color_range tv -colorspace bt709 -color_primaries bt709 -color_trc bt709"

describe("commands", () => {
  const target = {
    width: 1280,
    height: 720,
    quality: "medium",
    mode: "balanced",
    frameRate: { num: 30000, den: 1001 }
  } as const
  const plan = planOf(specOf(sources, [{ start: 1.5, end: 16 }], target), sources)

  it("of a chunk from the middle", () => {
    const { texts, commands, steps, makes } = command(plan, "chunk", 1)
    assert.deepStrictEqual(commands, [
      lines(`
      ${RUN} ${HEARD} -copyts ${SAFE} -reinit_filter 0 -threads 2 -noaccurate_seek -ss 8000000us -i file:/s/0
      -filter_complex_threads 1 -filter_complex_script /t/video.graph
      -map [v] -an -sn -dn -fps_mode passthrough -frames:v 240
      -c:v libx264 -preset fast -profile:v high -crf 23 -maxrate 3396603 -bufsize 1698302
      -g 60 -keyint_min 60 -sc_threshold 0 -flags +cgop -threads 1 -bitexact ${BT709}
      ${PLAIN} -video_track_timescale 30000 -f mp4 file:/t/chunk.mp4`)
    ])
    assert.strictEqual(
      texts[0],
      [
        "[0:0]settb=1/90000",
        "setpts='round(floor(((PTS-(135000))*2+(3003))/6006)*90090000/30000)'",
        "fps=30000/1001:round=near",
        "trim=start_pts=195:end_pts=435",
        "setpts=PTS-195",
        "scale=1280:720:flags=bicubic+accurate_rnd+full_chroma_int+bitexact:in_color_matrix=bt709:out_color_matrix=bt709:out_range=tv",
        "setsar=1",
        "format=yuv420p",
        "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709[v]\n"
      ].join(",\n")
    )
    assert.strictEqual(steps[0]?.frames, 240)
    assert.deepStrictEqual(makes, [
      {
        path: "/t/chunk.mp4",
        role: "media",
        name: "",
        contentType: "video/mp4",
        video: { codec: "h264", width: 1280, height: 720, frames: 240, rate: { num: 30000, den: 1001 } },
        audio: null,
        seams: []
      }
    ])
  })

  it("of chunks at the start and at the very end of a source", () => {
    const whole = planOf(specOf(sources, [{ start: 56 }, { end: 5 }]), sources)
    const { texts: end } = command(whole, "chunk", 0)
    assert.include(
      end[0],
      "tpad=stop_mode=clone:stop_duration=0.080000,\nfps=25/1:round=near,\ntpad=stop_mode=clone:stop=1,\ntrim=start_pts=0:end_pts=100,"
    )
    const { texts: start, commands } = command(whole, "chunk", 1)
    assert.include(start[0], "fps=25/1:round=near:start_time=0,\ntrim=")
    assert.notInclude(commands[0], "-ss")
  })

  it("of a chunk in two passes", () => {
    const vp9 = planOf(specOf(sources, [{ end: 4 }], { ...target, codec: "vp9", format: "webm" }), sources)
    const { commands, steps } = command(vp9, "chunk")
    assert.deepStrictEqual(
      steps.map((step) => step.frames),
      [0, 120]
    )
    const settings =
      "-c:v libvpx-vp9 -deadline good -cpu-used 3 -crf 36 -b:v 3396603 -g 60 -keyint_min 60 -tile-columns 0 -auto-alt-ref 1 -lag-in-frames 25 -threads 1 -bitexact"
    assert.include(commands[0], `${settings} ${BT709} -pass 1 -passlogfile /t/passes -f null -`)
    assert.include(
      commands[1],
      `${settings} ${BT709} -pass 2 -passlogfile /t/passes ${PLAIN} -video_track_timescale 30000 -f mp4`
    )
  })

  it("of chunks that a fade begins in, and that begin in a fade", () => {
    const fade = { type: "fade", duration: 20 } as const
    const faded = planOf(specOf(sources, [{ end: 16, transition: fade }, { end: 11 }], target), sources)
    const filters = (nth: number) => command(faded, "chunk", nth).texts[0]?.split(",\n").slice(-4).join(",")
    const setparams = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709[v]\n"
    // Chunks of 180 frames of a clip of 480, the last 299 of which sink.
    assert.strictEqual(filters(1), `setsar=1,format=yuv420p,fade=t=out:st=0.033367:d=9.976633,${setparams}`)
    assert.strictEqual(filters(2), `setpts=PTS+179,fade=t=out:st=0.000000:d=9.976633,setpts=PTS-179,${setparams}`)
    assert.strictEqual(filters(3), `setsar=1,format=yuv420p,fade=t=in:st=0.000000:d=10.010000,${setparams}`)
  })

  it("of a dissolve", () => {
    const dissolve = { type: "dissolve", duration: 2 } as const
    const dissolved = planOf(
      specOf(sources, [{ start: 1.5, end: 16, transition: dissolve }, { end: 5 }], target),
      sources
    )
    const { commands, makes, texts } = command(dissolved, "dissolve")
    assert.deepStrictEqual(commands, [
      lines(`
      ${RUN} ${HEARD} -copyts
      ${SAFE} -reinit_filter 0 -threads 2 -noaccurate_seek -ss 14000000us -i file:/s/0
      ${SAFE} -reinit_filter 0 -threads 2 -i file:/s/0
      -filter_complex_threads 1 -filter_complex_script /t/video.graph
      -map [v] -an -sn -dn -fps_mode passthrough -frames:v 60
      -c:v libx264 -preset fast -profile:v high -crf 23 -maxrate 3396603 -bufsize 1698302
      -g 60 -keyint_min 60 -sc_threshold 0 -flags +cgop -threads 1 -bitexact ${BT709}
      ${PLAIN} -video_track_timescale 30000 -f mp4 file:/t/chunk.mp4`)
    ])
    const scale =
      "scale=1280:720:flags=bicubic+accurate_rnd+full_chroma_int+bitexact:in_color_matrix=bt709:out_color_matrix=bt709:out_range=tv"
    assert.strictEqual(
      texts[0],
      [
        "[0:0]settb=1/90000",
        "setpts='round(floor(((PTS-(135000))*2+(3003))/6006)*90090000/30000)'",
        "fps=30000/1001:round=near",
        "trim=start_pts=375:end_pts=435",
        "setpts=PTS-375",
        "setpts=N",
        scale,
        "setsar=1",
        "format=yuv420p[below];\n[1:0]settb=1/90000",
        "setpts='round(floor(((PTS-(0))*2+(3003))/6006)*90090000/30000)'",
        "fps=30000/1001:round=near:start_time=0",
        "trim=start_pts=0:end_pts=60",
        "setpts=PTS-0",
        scale,
        "setsar=1",
        "format=yuv420p",
        "setpts=N+1",
        "format=yuva420p",
        "fade=t=in:st=0:d=2.035367:alpha=1",
        "setpts=PTS-1[above];\n[below][above]overlay=format=yuv420:shortest=1",
        "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709[v]\n"
      ].join(",\n")
    )
    assert.strictEqual(makes[0]?.video?.frames, 60)
  })

  it("of a crossfade", () => {
    const dissolve = { type: "dissolve", duration: 2 } as const
    const pair = [...sources, { media: media(1920, 1080, { frames: 1500 }), index }]
    const clips = [
      { start: 30.5, end: 50, transition: dissolve },
      { source: 1, end: 5 }
    ]
    const { commands, texts } = command(planOf(specOf(pair, clips), pair), "crossfade")
    assert.deepStrictEqual(commands, [
      lines(`
      ${RUN} -copyts ${SAFE} -noaccurate_seek -ss 40500000us -i file:/s/0
      -filter_complex_threads 1 -filter_complex_script /t/sound.graph
      -map [a] -vn -c:a pcm_s16le -bitexact ${PLAIN} -rf64 auto -f wav file:/t/sound.wav`)
    ])
    const format = "aformat=sample_fmts=s16:channel_layouts=stereo"
    assert.strictEqual(
      texts[0],
      [
        "[0:1]asetpts='round(PTS-(47.500000)/TB)',",
        "aresample=48000:async=1:first_pts=0:min_comp=0.00001:min_hard_comp=0.1:rematrix_maxval=8,",
        `${format}[firstheard];`,
        `anullsrc=r=48000:cl=stereo,${format}[firstrest];`,
        "[firstheard][firstrest]concat=n=2:v=0:a=1,atrim=start_sample=24960:end_sample=120960,asetpts=N/SR/TB,"
          + "aformat=sample_fmts=flt,afade=t=out:ss=0:ns=96000:curve=qsin[first];",
        `anullsrc=r=48000:cl=stereo,${format},atrim=end_sample=96000,asetpts=N/SR/TB,`
          + "aformat=sample_fmts=flt,afade=t=in:ss=0:ns=96000:curve=qsin[second];",
        `[first][second]amix=inputs=2:duration=shortest:normalize=0,${format},asetpts=N/SR/TB[a]\n`
      ].join("\n")
    )
  })

  it("of a clip's sound", () => {
    const late = planOf(specOf(sources, [{ start: 30.5, end: 34 }]), sources)
    const { texts, commands } = command(late, "sound")
    assert.deepStrictEqual(commands, [
      lines(`
      ${RUN} -copyts ${SAFE} -noaccurate_seek -ss 23500000us -i file:/s/0
      -filter_complex_threads 1 -filter_complex_script /t/sound.graph
      -map [a] -vn -c:a pcm_s16le -bitexact ${PLAIN} -rf64 auto -f wav file:/t/sound.wav`)
    ])
    assert.strictEqual(
      texts[0],
      [
        "[0:1]asetpts='round(PTS-(30.500000)/TB)',",
        "aresample=48000:async=1:first_pts=0:min_comp=0.00001:min_hard_comp=0.1:rematrix_maxval=8,",
        "aformat=sample_fmts=s16:channel_layouts=stereo[heard];",
        "anullsrc=r=48000:cl=stereo,aformat=sample_fmts=s16:channel_layouts=stereo[rest];",
        "[heard][rest]concat=n=2:v=0:a=1,atrim=end_sample=168960,asetpts=N/SR/TB[a]\n"
      ].join("\n")
    )
  })

  it("of silence, which opens no file", () => {
    const pair = [...sources, { media: media(1920, 1080, { frames: 1500 }), index }]
    const { texts, commands } = command(planOf(specOf(pair, [{ source: 1, end: 1 }]), pair), "sound")
    assert.notInclude(commands[0], "-i ")
    assert.strictEqual(
      texts[0],
      "anullsrc=r=48000:cl=stereo,aformat=sample_fmts=s16:channel_layouts=stereo,atrim=end_sample=48000,asetpts=N/SR/TB[a]\n"
    )
  })

  it("of a soundtrack", () => {
    const { texts, commands } = command(plan, "soundtrack")
    assert.deepStrictEqual(commands, [
      lines(`
      ${RUN} ${OWN} -f concat -safe 0 -auto_convert 0 -i file:/t/sound.list
      -filter_complex_threads 1 -filter_complex_script /t/soundtrack.graph
      -map [a] -vn -c:a aac -b:a 160000 -ar 48000 -bitexact ${PLAIN} -f mp4 file:/t/soundtrack.m4a`)
    ])
    const piece = plan.tasks.find((task) => task.work._tag === "sound")?.key.slice(0, 4)
    assert.strictEqual(texts[0], `ffconcat version 1.0\nfile 'file:/m/${piece}'\n`)
  })

  it("of a finished file and its poster", () => {
    const { texts, commands, makes } = command(plan, "mux")
    const [a, b] = plan.tasks.map((task) => task.key.slice(0, 4))
    const track = plan.tasks.find((task) => task.work._tag === "soundtrack")?.key.slice(0, 4)
    assert.strictEqual(
      texts[0],
      `ffconcat version 1.0\nfile 'file:/m/${a}'\nduration 6506500us\nfile 'file:/m/${b}'\nduration 8008000us\n`
    )
    assert.deepStrictEqual(commands, [
      lines(`
        ${RUN} ${OWN} -f concat -safe 0 -auto_convert 0 -i file:/t/chunks.list ${OWN} -i file:/m/${track}
        -map 0:v:0 -map 1:a:0 -c copy -bsf:v setts=pts='round(PTS/1001)*1001':dts='round(DTS/1001)*1001'
        -video_track_timescale 30000 ${PLAIN} -movflags +faststart -f mp4 file:/t/output.mp4`),
      lines(`
        ${RUN} ${OWN} -ss 1.418083 -i file:/t/output.mp4 -map 0:v:0 -frames:v 1
        -vf scale=640:360:flags=bicubic+accurate_rnd+bitexact:out_range=pc,setsar=1,format=yuvj420p
        -c:v mjpeg -q:v 4 -threads 1 -bitexact ${PLAIN} -f image2 -update 1 file:/t/poster.jpg`)
    ])
    assert.deepStrictEqual(
      makes.map(({ role, name, contentType, audio, seams }) => ({ role, name, contentType, audio, seams })),
      [
        {
          role: "media",
          name: "film.720p.mp4",
          contentType: "video/mp4",
          audio: { codec: "aac", samples: 696696 },
          seams: [195]
        },
        { role: "poster", name: "", contentType: "image/jpeg", audio: null, seams: [] }
      ]
    )
  })

  it("quote paths for the list that names them", () => {
    const task = plan.tasks.find(({ work }) => work._tag === "soundtrack") ?? assert.fail()
    const { files } = commandFor(plan, task, { ...places, made: () => "/it's here" })
    assert.include(files[0]?.text, "file 'file:/it'\\''s here'")
  })

  it("of a pass are those of its parts, each in a folder of its own", () => {
    const plan = planOf(specOf(sources, [{ start: 1, end: 3 }], target), sources)
    const [task] = plan.tasks
    if (task?.work._tag !== "pass") return assert.fail("no pass")
    const pass = commandFor(plan, task, places)
    assert.deepStrictEqual(pass.folders, ["/t/0", "/t/1", "/t/2", "/t/3"])
    const graph = unfolded(plan)
    const paths = ["/t/0/chunk.mp4", "/t/1/sound.wav", "/t/2/soundtrack.m4a", "/t/3/output.mp4"]
    const madeBy = new Map<string, string>(graph.tasks.map(({ key }, i) => [key, paths[i] ?? ""]))
    const apart = graph.tasks.map((part, i) =>
      commandFor(graph, part, { ...places, folder: `/t/${i}`, made: (key) => madeBy.get(key) ?? "" })
    )
    assert.deepStrictEqual(
      pass.steps,
      apart.flatMap((part) => part.steps)
    )
    assert.deepStrictEqual(
      pass.files,
      apart.flatMap((part) => part.files)
    )
    assert.deepStrictEqual(pass.makes, apart.at(-1)?.makes)
    assert.strictEqual(pass.makes[0]?.path, "/t/3/output.mp4")
  })

  it("of a ZIP do not exist", () => {
    const zipped = planOf(specOf(sources, [{ end: 1 }], {}, { delivery: "clips" }), sources)
    assert.throws(() => command(zipped, "zip"))
  })
})

describe("encoders", () => {
  const request = {
    mode: "balanced",
    quality: "medium",
    width: 1280,
    height: 720,
    frameRate: { num: 30, den: 1 },
    length: 180,
    device: null
  } as const
  const settings = (
    family: Family,
    codec: VideoCodec,
    change: Partial<Parameters<typeof encoderArguments>[0]> = {}
  ) => {
    const { global, output, pixelFormat, passes } = encoderArguments({ ...request, family, codec, ...change })
    return [...global, ...output, pixelFormat, passes].join(" ")
  }
  const LIMIT = "-maxrate 3400000 -bufsize 1700000 -g 60 -keyint_min 60"

  it("are asked for constant quality under a ceiling, in closed GOPs of two seconds", () => {
    const cases: ReadonlyArray<readonly [Family, VideoCodec, string]> = [
      [
        "software",
        "h264",
        `-c:v libx264 -preset fast -profile:v high -crf 23 ${LIMIT} -sc_threshold 0 -flags +cgop -threads 1 -bitexact yuv420p 1`
      ],
      [
        "software",
        "hevc",
        `-c:v libx265 -preset fast -profile:v main -crf 23 ${LIMIT} -threads 1 -x265-params log-level=error:info=0:pools=1:open-gop=0:scenecut=0:keyint=60:min-keyint=60 -tag:v hvc1 -bitexact yuv420p 1`
      ],
      [
        "software",
        "vp9",
        "-c:v libvpx-vp9 -deadline good -cpu-used 3 -crf 36 -b:v 3400000 -g 60 -keyint_min 60 -tile-columns 0 -auto-alt-ref 1 -lag-in-frames 25 -threads 1 -bitexact yuv420p 2"
      ],
      ["software", "av1", `-c:v libsvtav1 -preset 8 -crf 36 ${LIMIT} -svtav1-params lp=1:scd=0 -bitexact yuv420p 1`],
      [
        "nvenc",
        "h264",
        `-c:v h264_nvenc -preset p4 -tune hq -rc vbr -cq 23 -b:v 0 ${LIMIT} -forced-idr 1 -no-scenecut 1 -strict_gop 1 -bitexact nv12 1`
      ],
      [
        "nvenc",
        "hevc",
        `-c:v hevc_nvenc -preset p4 -tune hq -rc vbr -cq 23 -b:v 0 ${LIMIT} -forced-idr 1 -no-scenecut 1 -strict_gop 1 -tag:v hvc1 -bitexact nv12 1`
      ],
      [
        "qsv",
        "h264",
        `-c:v h264_qsv -preset medium -global_quality 23 -b:v 3060000 ${LIMIT} -idr_interval 0 -look_ahead 0 -flags +cgop -bitexact nv12 1`
      ],
      [
        "amf",
        "h264",
        `-c:v h264_amf -usage transcoding -quality balanced -rc vbr_latency -qmin 23 -b:v 3400000 ${LIMIT} -bitexact nv12 1`
      ],
      [
        "amf",
        "hevc",
        `-c:v hevc_amf -usage transcoding -quality balanced -rc vbr_latency -qmin 23 -b:v 3400000 ${LIMIT} -tag:v hvc1 -bitexact nv12 1`
      ],
      [
        "videotoolbox",
        "hevc",
        `-c:v hevc_videotoolbox -allow_sw 0 -realtime 0 -q:v 54 ${LIMIT} -tag:v hvc1 -bitexact nv12 1`
      ]
    ]
    for (const [family, codec, expected] of cases)
      assert.strictEqual(settings(family, codec), expected, `${family} ${codec}`)
  })

  it("know mode as effort and quality as rate, and nothing else of either", () => {
    const effort = (family: Family, codec: VideoCodec) =>
      (["fast", "balanced", "quality"] as const).map(
        (mode) => / -(?:preset|cpu-used|quality) (\S+)/.exec(settings(family, codec, { mode }))?.[1]
      )
    assert.deepStrictEqual(effort("software", "h264"), ["ultrafast", "fast", "slow"])
    assert.deepStrictEqual(effort("software", "vp9"), ["5", "3", "1"])
    assert.deepStrictEqual(effort("nvenc", "h264"), ["p1", "p4", "p7"])
    assert.deepStrictEqual(effort("qsv", "h264"), ["veryfast", "medium", "slower"])
    assert.deepStrictEqual(effort("amf", "h264"), ["speed", "balanced", "quality"])
    const rate = (family: Family, codec: VideoCodec) =>
      (["high", "medium", "low"] as const).map(
        (quality) => / -(?:crf|cq|global_quality|qmin|q:v) (\d+)/.exec(settings(family, codec, { quality }))?.[1]
      )
    for (const family of ["software", "nvenc", "qsv", "amf"] as const)
      assert.deepStrictEqual(rate(family, "h264"), ["18", "23", "28"])
    assert.deepStrictEqual(rate("software", "vp9"), ["28", "36", "44"])
    assert.deepStrictEqual(rate("videotoolbox", "h264"), ["68", "54", "42"])
  })

  it("are told which device", () => {
    assert.include(settings("nvenc", "h264", { device: "1" }), "-gpu 1 ")
    assert.include(
      settings("qsv", "h264", { device: "/dev/dri/renderD129" }),
      "-init_hw_device qsv=gpu,child_device=/dev/dri/renderD129 "
    )
  })

  it("exist or do not", () => {
    assert.deepStrictEqual(
      LADDER.map((family) => encoderName(family, "vp9")),
      [null, "vp9_qsv", null, null, "libvpx-vp9"]
    )
    assert.throws(() => settings("amf", "vp9"))
  })

  it("use threads by the size of the picture", () => {
    const sizes = [
      [96, 64],
      [1280, 720],
      [1920, 1080],
      [3840, 2160]
    ] as const
    assert.deepStrictEqual(
      sizes.map(([width, height]) => threadsFor(width, height)),
      [1, 1, 2, 4]
    )
    assert.deepStrictEqual(
      sizes.map(([width, height]) => weightFor(width, height)),
      [1, 1, 1, 2]
    )
  })

  it("are proven by a short encode of 256×256", () => {
    assert.strictEqual(
      probeArguments("nvenc", "h264", "0").join(" "),
      "-hide_banner -nostdin -v error -f lavfi -i testsrc2=size=256x256:rate=30 -frames:v 6 -vf format=nv12 -an "
        + "-c:v h264_nvenc -gpu 0 -preset p1 -tune hq -rc vbr -cq 23 -b:v 0 -maxrate 241777 -bufsize 120889 -g 60 -keyint_min 60 "
        + "-forced-idr 1 -no-scenecut 1 -strict_gop 1 -bitexact -f null -"
    )
  })
})

describe("argv", () => {
  it("splits where the template has blanks, never within a value", () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.string()), (value, list) => {
        assert.deepStrictEqual(
          argv`-a ${value}  -b=${value}.x
        ${list} last`,
          ["-a", value, `-b=${value}.x`, ...list, "last"]
        )
      })
    )
    assert.deepStrictEqual(argv`${[]}`, [])
    assert.deepStrictEqual(argv`  `, [])
    assert.deepStrictEqual(argv`${""} ${0}`, ["", "0"])
  })
})
