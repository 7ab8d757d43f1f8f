import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { isListed, isPublic, mediaHost } from "../src/MediaHosts.ts"

const listed = (entry: string, url: string): boolean => {
  const host = mediaHost(entry)
  assert.isNotNull(host, entry)
  return host !== null && isListed(new URL(url), [host])
}

describe("hosts of footage", () => {
  const cases: ReadonlyArray<[entry: string, url: string, allowed: boolean]> = [
    ["media.example.com", "https://media.example.com/a.mp4", true],
    ["media.example.com", "http://MEDIA.example.com./a.mp4", true],
    ["media.example.com", "https://media.example.com:8443/a.mp4", false],
    ["media.example.com", "http://media.example.com:443/a.mp4", false],
    ["media.example.com", "https://x.media.example.com/a.mp4", false],
    ["media.example.com", "https://media.example.com.evil.example/a.mp4", false],
    ["media.example.com:8443", "https://media.example.com:8443/", true],
    ["media.example.com:8443", "https://media.example.com/", false],
    ["media.example.com:443", "https://media.example.com/", true],
    [".example.com", "https://a.b.example.com/", true],
    ["*.example.com", "https://a.example.com/", true],
    [".example.com", "https://example.com/", false],
    [".example.com", "https://evilexample.com/", false],
    ["127.0.0.1", "http://127.0.0.1/", true],
    // However it is written.
    ["media.example.com", "http://2130706433/", false],
    ["127.0.0.1", "http://0x7f.1/", true],
    ["[fd00::5]:81", "http://[fd00:0::5]:81/", true]
  ]
  for (const [entry, url, allowed] of cases) {
    it(`${entry} ${allowed ? "allows" : "does not allow"} ${url}`, () =>
      assert.strictEqual(listed(entry, url), allowed))
  }
  it("what is no host is not taken for one", () => {
    for (const entry of [
      "",
      "https://a.example",
      "a.example/films",
      "u@a.example",
      "a b",
      "*.10.0.0.1",
      "a.example?x"
    ]) {
      assert.isNull(mediaHost(entry), entry)
    }
  })
})

describe("addresses", () => {
  it("of the public internet, and others", () => {
    for (const address of ["1.1.1.1", "172.32.0.1", "192.169.0.1", "2606:4700::1111"])
      assert.isTrue(isPublic(address), address)
    for (const address of [
      "0.0.0.0",
      "10.1.2.3",
      "100.64.0.1",
      "127.0.0.1",
      "127.255.255.254",
      "169.254.169.254",
      "172.16.0.1",
      "172.31.255.255",
      "192.168.1.1",
      "224.0.0.1",
      "255.255.255.255",
      "::",
      "::1",
      "::ffff:127.0.0.1",
      "::ffff:8.8.8.8",
      "64:ff9b::7f00:1",
      "2002:7f00:1::",
      "2001:0:7f00:1::",
      "fe80::1",
      "fd00::1",
      "ff02::1",
      "localhost",
      ""
    ]) {
      assert.isFalse(isPublic(address), address)
    }
  })
  it("none that a private network uses, wrapped or not", () => {
    const byte = fc.integer({ min: 0, max: 255 })
    fc.assert(
      fc.property(fc.constantFrom("10", "127", "192.168", "169.254"), byte, byte, byte, (start, a, b, c) => {
        const address = [...start.split("."), a, b, c].slice(0, 4).join(".")
        return !isPublic(address) && !isPublic(`::ffff:${address}`)
      })
    )
  })
})
