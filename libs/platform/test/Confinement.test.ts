import { assert, describe, it } from "@effect/vitest"
import { commonFolder, confinement } from "@reelay/platform/Confinement"

const binds = (args: ReadonlyArray<string>, mode: string) =>
  args.flatMap((arg, i) => (arg === mode ? [args[i + 1]] : []))

describe("confinement", () => {
  const reach = { reads: ["/store/a.mp4", "/store/b.mp4", "/store/a.mp4"], folder: "/store/.tmp/task", devices: false }

  it("gives the inputs to read, the task's folder to write, and no network", () => {
    const args = confinement("/usr/bin/ffmpeg", reach)
    assert.include(args, "--unshare-all")
    assert.include(args, "--die-with-parent")
    assert.deepStrictEqual(binds(args, "--ro-bind"), ["/store/a.mp4", "/store/b.mp4"])
    assert.deepStrictEqual(binds(args, "--bind"), ["/store/.tmp/task"])
    assert.notInclude(args, "--share-net")
    assert.isEmpty(binds(args, "--dev-bind-try"))
  })

  it("opens devices to hardware only", () => {
    const opened = binds(confinement("/usr/bin/ffmpeg", { ...reach, devices: true }), "--dev-bind-try")
    // Every card of a large machine, too.
    for (const device of ["/dev/dri", "/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia7", "/dev/nvidia15"]) {
      assert.include(opened, device)
    }
  })

  it("takes the folder of very many inputs instead of each", () => {
    const reads = Array.from({ length: 500 }, (_, i) => `/store/cache/user/${i}/chunk.mp4`)
    assert.deepStrictEqual(binds(confinement("/usr/bin/ffmpeg", { ...reach, reads }), "--ro-bind"), [
      "/store/cache/user"
    ])
  })

  it("brings a program from elsewhere, after the empty /tmp that would hide it", () => {
    const args = confinement("/tmp/build/bin/ffmpeg", reach)
    assert.include(binds(args, "--ro-bind-try"), "/tmp/build/bin")
    assert.isAbove(args.indexOf("/tmp/build/bin"), args.indexOf("--tmpfs"))
  })
})

describe("commonFolder", () => {
  it("is the deepest that holds them all", () => {
    assert.strictEqual(commonFolder(["/a/b/c/x", "/a/b/d/y"]), "/a/b")
    assert.strictEqual(commonFolder(["/a/b/x"]), "/a/b")
    assert.strictEqual(commonFolder(["/a/x", "/b/y"]), "/")
    assert.strictEqual(commonFolder([]), "/")
  })
})
