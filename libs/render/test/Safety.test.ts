import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execa } from "execa"
import { createServer, type Server } from "node:http"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { fileUrl, mediaInput, ownInput } from "../src/Safety.ts"
import { makeSource } from "./Sources.ts"

/** What would make ffmpeg read something else than the file that it is given. */
describe("hostile media", () => {
  let folder = ""
  let secret = ""
  let asked = 0
  let server: Server
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-safety-`)
    secret = await makeSource(folder, "secret", { extension: "ts", frames: 5 })
    server = createServer((_, response) => {
      asked++
      response.end()
    })
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
  })
  afterAll(async () => {
    server.close()
    await rm(folder, { recursive: true })
  })

  const opened = async (path: string): Promise<boolean> => {
    const readers = [
      execa("ffmpeg", ["-v", "error", "-nostdin", ...mediaInput, "-i", fileUrl(path), "-f", "null", "-"], {
        reject: false
      }),
      execa("ffprobe", ["-v", "error", ...mediaInput, "-show_streams", fileUrl(path)], { reject: false })
    ]
    return (await Promise.all(readers)).some(({ exitCode }) => exitCode === 0)
  }
  const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/internal.ts`

  const DISGUISES: Record<string, () => string> = {
    "an HLS playlist of a URL": () => `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n${url()}\n#EXT-X-ENDLIST\n`,
    "an HLS playlist of a local file": () =>
      `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n${secret}\n#EXT-X-ENDLIST\n`,
    "a list of files": () => `ffconcat version 1.0\nfile '${secret}'\n`,
    "a session description": () => "v=0\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    text: () => "This is not a video.\n"
  }
  for (const [name, content] of Object.entries(DISGUISES)) {
    it(`opens nothing for ${name} that is called .mp4`, async () => {
      const path = `${folder}/${name.replaceAll(" ", "-")}.mp4`
      await writeFile(path, content())
      assert.isFalse(await opened(path))
      assert.strictEqual(asked, 0)
    })
  }

  it("opens what is media, whatever it is called", async () => {
    assert.isTrue(await opened(secret))
    const odd = await makeSource(folder, "-i http: 'x' %d;#", { extension: "mp4", frames: 5 })
    assert.isTrue(await opened(odd))
  })

  it("stops at pictures that are too large", async () => {
    const path = `${folder}/large.mkv`
    const input = ["-f", "lavfi", "-i", "color=s=8194x8194:r=1:d=1,format=gray"]
    await execa("ffmpeg", ["-v", "error", ...input, "-c:v", "ffv1", path])
    assert.isFalse(await opened(path))
  })

  it("does not open users' containers where our own are expected", async () => {
    const { exitCode } = await execa("ffprobe", ["-v", "error", ...ownInput, fileUrl(secret)], { reject: false })
    assert.notStrictEqual(exitCode, 0)
  })
})
